import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import type { Membership } from '@soma/contracts';
import { Problem, type Secret } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { AuditLog } from '../audit/audit-log.ts';
import { Invitations } from './invitations.ts';
import { MemberRows } from './member-rows.ts';
import { MembershipChanges } from './membership-changes.ts';
import { Tenants } from './tenants.ts';
import type { User } from './users.ts';

/** Makes a person a member of the tenant that invited them. */
@Injectable()
export class AcceptInvitation {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly tenants: Tenants,
    private readonly invitations: Invitations,
    private readonly members: MemberRows,
    private readonly changes: MembershipChanges,
    private readonly audit: AuditLog,
  ) {}

  /**
   * The tenant follows from the token, which is a credential: the person may be a member of none.
   *
   * @param user - Who accepts. The address must be verified and the one that was invited.
   * @throws {@link Problem} 404 `invitation_not_found`, 409 `already_member`, 403
   *   `email_not_verified`
   */
  async execute(
    user: Pick<User, 'user_id' | 'email' | 'email_verified_at'>,
    token: Secret,
    origin: AuditOrigin,
  ): Promise<Membership> {
    assertVerified(user);
    const { user_id: userId, email } = user;
    const tenantId = await this.invitations.tenantOf(token);
    return this.transaction.run(tenantId, async (manager) => {
      await this.tenants.lock(manager, tenantId);
      const { role, invitation_id } = await this.invitations.redeem(manager, tenantId, {
        token,
        email,
      });
      if (!(await this.members.add(manager, tenantId, { userId, role }))) {
        throw alreadyMember();
      }
      await this.changes.announce(manager, tenantId, { userId, after: role });
      await this.audit.append(manager, {
        ...origin,
        tenant_id: tenantId,
        action: 'invitation.accepted',
        target: { type: 'member', id: userId },
        outcome: 'success',
        details: { invitation_id, role },
      });
      return { tenant_id: tenantId, role };
    });
  }
}

function assertVerified({ email_verified_at }: Pick<User, 'email_verified_at'>): void {
  if (email_verified_at === null) {
    throw new Problem({
      status: 403,
      code: 'email_not_verified',
      detail: 'Sign in in a way that shows that the e-mail address is yours, and accept again.',
    });
  }
}

function alreadyMember(): Problem {
  return new Problem({
    status: 409,
    code: 'already_member',
    detail: 'You are a member of this tenant already. Sign in to it.',
  });
}
