import { Injectable } from '@nestjs/common';
import { assertVersion, type Caller } from '@soma/auth';
import type { Member, MemberRole } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import { AuditLog } from '../audit/audit-log.ts';
import { assertMayGrant } from './granting.ts';
import { LastOwner } from './last-owner.ts';
import { MemberRows } from './member-rows.ts';
import { MembershipChanges } from './membership-changes.ts';

/** Makes somebody something else in the caller's tenant. */
@Injectable()
export class ChangeRole {
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
  execute(caller: Caller, { userId, role }: { userId: string; role: MemberRole }): Promise<Member> {
    const { principal, origin } = caller;
    const { tenant_id } = principal;
    return this.transaction.run(tenant_id, async (manager) => {
      const member = await this.lastOwner.lockMember(manager, tenant_id, userId);
      assertVersion(caller, member.version);
      assertMayGrant(principal, member.role);
      assertMayGrant(principal, role);
      if (member.role === role) {
        return member;
      }
      await this.lastOwner.assertOther(manager, tenant_id, member);
      const change = { userId: member.user_id, before: member.role, after: role };
      await this.members.changeRole(manager, tenant_id, { userId: member.user_id, role });
      await this.changes.announce(manager, tenant_id, change);
      await this.audit.append(manager, {
        ...origin,
        tenant_id,
        action: 'member.role_changed',
        target: { type: 'member', id: member.user_id },
        outcome: 'success',
        details: { before: member.role, after: role },
      });
      return this.members.find(manager, tenant_id, userId);
    });
  }
}
