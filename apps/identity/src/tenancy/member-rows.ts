import { Injectable } from '@nestjs/common';
import type { Member, MemberRole } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import type { EntityManager } from 'typeorm';

interface MemberRow extends Omit<Member, 'created_at' | 'updated_at'> {
  created_at: Date;
  updated_at: Date;
}

const SELECT = `
  SELECT member.user_id, email, display_name, role, version, member.created_at, member.updated_at
    FROM identity.members AS member JOIN identity.users USING (user_id)
   WHERE tenant_id = $1`;

/**
 * The people of a tenant. Every method takes the tenant's transaction, and whoever changes something
 * holds the lock of the tenant (`Tenants.lock`).
 */
@Injectable()
export class MemberRows {
  /** In the order of their ids; the cursor is the last id of a page. */
  async list(
    manager: EntityManager,
    tenantId: string,
    { limit, cursor }: { limit: number; cursor?: string | undefined },
  ): Promise<Member[]> {
    const rows = await manager.query<MemberRow[]>(
      `${SELECT} AND ($2::uuid IS NULL OR user_id > $2) ORDER BY user_id LIMIT $3`,
      [tenantId, cursor, limit],
    );
    return rows.map(toMember);
  }

  /** @throws {@link Problem} 404 `member_not_found` */
  async find(manager: EntityManager, tenantId: string, userId: string): Promise<Member> {
    const [row] = await manager.query<MemberRow[]>(`${SELECT} AND user_id = $2`, [
      tenantId,
      userId,
    ]);
    return toMember(row ?? notFound(userId));
  }

  /** Whether somebody but this person is an owner. */
  async hasOwnerBeside(manager: EntityManager, tenantId: string, userId: string): Promise<boolean> {
    const rows = await manager.query<unknown[]>(
      `SELECT FROM identity.members
        WHERE tenant_id = $1 AND user_id <> $2 AND role = 'owner' LIMIT 1`,
      [tenantId, userId],
    );
    return rows.length > 0;
  }

  async isEmpty(manager: EntityManager, tenantId: string): Promise<boolean> {
    const rows = await manager.query<unknown[]>(
      `SELECT FROM identity.members WHERE tenant_id = $1 LIMIT 1`,
      [tenantId],
    );
    return rows.length === 0;
  }

  /** Whether the person is new; one who is a member already keeps the role. */
  async add(
    manager: EntityManager,
    tenantId: string,
    { userId, role }: { userId: string; role: MemberRole },
  ): Promise<boolean> {
    const rows = await manager.query<unknown[]>(
      `INSERT INTO identity.members (tenant_id, user_id, role) VALUES ($1, $2, $3)
       ON CONFLICT DO NOTHING RETURNING user_id`,
      [tenantId, userId, role],
    );
    return rows.length > 0;
  }

  async changeRole(
    manager: EntityManager,
    tenantId: string,
    { userId, role }: { userId: string; role: MemberRole },
  ): Promise<void> {
    await manager.query(
      `UPDATE identity.members
          SET role = $3, version = version + 1, updated_at = clock_timestamp()
        WHERE tenant_id = $1 AND user_id = $2`,
      [tenantId, userId, role],
    );
  }

  async remove(manager: EntityManager, tenantId: string, userId: string): Promise<void> {
    await manager.query(`DELETE FROM identity.members WHERE tenant_id = $1 AND user_id = $2`, [
      tenantId,
      userId,
    ]);
  }
}

function notFound(userId: string): never {
  throw new Problem({
    status: 404,
    code: 'member_not_found',
    detail: `There is no member "${userId}". Invite people with POST /v1/members/invitations.`,
  });
}

function toMember(row: MemberRow): Member {
  return {
    ...row,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}
