import { Injectable } from '@nestjs/common';
import type { Member } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import type { EntityManager } from 'typeorm';
import { MemberRows } from './member-rows.ts';
import { Tenants } from './tenants.ts';

/**
 * Keeps a tenant from losing its last owner, also when two of them leave at once: whoever changes
 * members holds the lock of the tenant's row to the commit, so that what is counted stays true.
 */
@Injectable()
export class LastOwner {
  constructor(
    private readonly tenants: Tenants,
    private readonly members: MemberRows,
  ) {}

  /** @throws {@link Problem} 404 `tenant_not_found` or `member_not_found` */
  async lockMember(manager: EntityManager, tenantId: string, userId: string): Promise<Member> {
    await this.tenants.lock(manager, tenantId);
    return this.members.find(manager, tenantId, userId);
  }

  /**
   * To be asked under the lock, before somebody stops being what they are.
   *
   * @throws {@link Problem} 409 `last_owner`
   */
  async assertOther(manager: EntityManager, tenantId: string, member: Member): Promise<void> {
    const isSafe =
      member.role !== 'owner' ||
      (await this.members.hasOwnerBeside(manager, tenantId, member.user_id));
    if (!isSafe) {
      throw new Problem({
        status: 409,
        code: 'last_owner',
        detail: 'A tenant needs an owner. Make somebody else an owner first.',
      });
    }
  }
}
