import { Injectable } from '@nestjs/common';
import { personName, tenantName } from '@soma/auth';
import type { MemberRole } from '@soma/contracts';
import { ConfigUpdates } from '@soma/messaging';
import type { EntityManager } from 'typeorm';
import { voidTokensOf } from '../config-updates/void-tokens.ts';

/** What somebody was in a tenant and is now; undefined where they were or are no member. */
export interface MembershipChange {
  userId: string;
  before?: MemberRole;
  after?: MemberRole;
}

/**
 * Tells what somebody has become in a tenant, in the transaction of the change: to the server of
 * relationships by rows that are applied there in their order, and to every process, which refuses
 * the tokens of before and forgets what it remembers of the tenant's rights.
 */
@Injectable()
export class MembershipChanges {
  constructor(private readonly updates: ConfigUpdates) {}

  /** The tenant's row must be locked: its changes have the order in which they are committed. */
  async announce(
    manager: EntityManager,
    tenantId: string,
    change: MembershipChange,
  ): Promise<void> {
    const { userId, before, after } = change;
    const name = { subject: personName(userId), object: tenantName(tenantId) };
    const relations = [
      ...(before === undefined ? [] : [{ ...name, relation: before, is_removed: true }]),
      ...(after === undefined ? [] : [{ ...name, relation: after, is_removed: false }]),
    ];
    for (const { subject, relation, object, is_removed } of relations) {
      await manager.query(
        `INSERT INTO identity.relationship_changes
           (tenant_id, subject, relation, object, is_removed) VALUES ($1, $2, $3, $4, $5)`,
        [tenantId, subject, relation, object, is_removed],
      );
    }
    await this.updates.append(
      manager,
      ...(before === undefined ? [] : [voidTokensOf(tenantId, userId)]),
      {
        tenant_id: tenantId,
        entity: 'relationships',
        id: tenantId,
        version: Date.now(),
        deleted: false,
      },
    );
  }
}
