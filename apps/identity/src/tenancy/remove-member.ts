import { Injectable } from '@nestjs/common';
import { assertVersion, type Caller } from '@soma/auth';
import { TenantTransaction } from '@soma/persistence';
import { AuditLog } from '../audit/audit-log.ts';
import { assertMayGrant } from './granting.ts';
import { LastOwner } from './last-owner.ts';
import { MemberRows } from './member-rows.ts';
import { MembershipChanges } from './membership-changes.ts';

/** Takes somebody out of the caller's tenant. What they did stays, and so does the person. */
@Injectable()
export class RemoveMember {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly members: MemberRows,
    private readonly lastOwner: LastOwner,
    private readonly changes: MembershipChanges,
    private readonly audit: AuditLog,
  ) {}

  /**
   * @throws {@link Problem} 403 `role_exceeds_own`, 404 `member_not_found`, 409 `last_owner`, 412
   *   `version_mismatch`
   */
  execute(caller: Caller, userId: string): Promise<void> {
    const { principal, origin } = caller;
    const { tenant_id } = principal;
    return this.transaction.run(tenant_id, async (manager) => {
      const member = await this.lastOwner.lockMember(manager, tenant_id, userId);
      assertVersion(caller, member.version);
      assertMayGrant(principal, member.role);
      await this.lastOwner.assertOther(manager, tenant_id, member);
      await this.members.remove(manager, tenant_id, member.user_id);
      const change = { userId: member.user_id, before: member.role };
      await this.changes.announce(manager, tenant_id, change);
      await this.audit.append(manager, {
        ...origin,
        tenant_id,
        action: 'member.removed',
        target: { type: 'member', id: member.user_id },
        outcome: 'success',
        details: { role: member.role },
      });
    });
  }
}
