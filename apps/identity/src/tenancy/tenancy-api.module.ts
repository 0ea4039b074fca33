import { Global, Module } from '@nestjs/common';
import { ApiKeysModule } from '../api-keys/api-keys.module.ts';
import { AcceptInvitation } from './accept-invitation.ts';
import { ChangeRole } from './change-role.ts';
import { ChangeServiceAccounts } from './change-service-accounts.ts';
import { CreateInvitation } from './create-invitation.ts';
import { CreateTenant } from './create-tenant.ts';
import { FindInvitation } from './find-invitation.ts';
import { InvitationsController } from './invitations.controller.ts';
import { Invitations } from './invitations.ts';
import { LastOwner } from './last-owner.ts';
import { MemberRows } from './member-rows.ts';
import { MembersController } from './members.controller.ts';
import { MembershipChanges } from './membership-changes.ts';
import { RelationshipSweep } from './relationship-sweep.ts';
import { RemoveMember } from './remove-member.ts';
import { RenameTenant } from './rename-tenant.ts';
import { RevokeInvitation } from './revoke-invitation.ts';
import { ServiceAccountsController } from './service-accounts.controller.ts';
import { TenantsController } from './tenants.controller.ts';

/** Administers tenants, and the people and programs in them. Sign-in accepts invitations too. */
@Global()
@Module({
  imports: [ApiKeysModule],
  controllers: [
    InvitationsController,
    ServiceAccountsController,
    MembersController,
    TenantsController,
  ],
  providers: [
    AcceptInvitation,
    ChangeRole,
    ChangeServiceAccounts,
    CreateInvitation,
    CreateTenant,
    FindInvitation,
    Invitations,
    LastOwner,
    MemberRows,
    MembershipChanges,
    RemoveMember,
    RelationshipSweep,
    RenameTenant,
    RevokeInvitation,
  ],
  exports: [AcceptInvitation, FindInvitation],
})
export class TenancyApiModule {}
