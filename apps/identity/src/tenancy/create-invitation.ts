import { Injectable } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import type { CreatedInvitation, CreateInvitationRequest } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { IdempotentWrites } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { AuditLog } from '../audit/audit-log.ts';
import { assertMayGrant } from './granting.ts';
import { Invitations } from './invitations.ts';
import { Tenants } from './tenants.ts';

/** Asks somebody to become a member of the caller's tenant. */
@Injectable()
export class CreateInvitation {
  constructor(
    private readonly writes: IdempotentWrites,
    private readonly tenants: Tenants,
    private readonly invitations: Invitations,
    private readonly audit: AuditLog,
  ) {}

  /** @throws {@link Problem} 403 `role_exceeds_own`, 409 `already_member` */
  execute(caller: Caller, request: CreateInvitationRequest): Promise<CreatedInvitation> {
    const { principal, origin } = caller;
    const { tenant_id, subject } = principal;
    assertMayGrant(principal, request.role);
    const write = { operation: 'POST /v1/members/invitations', body: request };
    return this.writes.run(caller, write, async (manager) => {
      await this.tenants.lock(manager, tenant_id);
      await assertNoMember(manager, tenant_id, request.email);
      const invited = { ...request, invited_by: subject };
      const invitation = await this.invitations.create(manager, tenant_id, invited);
      await this.audit.append(manager, {
        ...origin,
        tenant_id,
        action: 'invitation.created',
        target: { type: 'invitation', id: invitation.invitation_id },
        outcome: 'success',
        details: { email: request.email, role: request.role },
      });
      return invitation;
    });
  }
}

async function assertNoMember(
  manager: EntityManager,
  tenantId: string,
  email: string,
): Promise<void> {
  const found = await manager.query<unknown[]>(
    `SELECT FROM identity.members JOIN identity.users USING (user_id)
      WHERE tenant_id = $1 AND email = $2`,
    [tenantId, email],
  );
  if (found.length > 0) {
    throw new Problem({
      status: 409,
      code: 'already_member',
      detail: 'This person is a member already. Change the role with PATCH /v1/members/{id}.',
    });
  }
}
