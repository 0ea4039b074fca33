import { Injectable } from '@nestjs/common';
import { SweepTransaction, TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { type OAuthConnection, OAuthConnections } from '../connections/oauth-connections.ts';
import type { GrantRow, HeldGrant } from './grant.ts';
import { HeldGrantsRepository } from './held-grants.repository.ts';

/** A grant that this process holds, and whose it is. */
export interface ClaimedGrant {
  held: HeldGrant;
  connection: OAuthConnection;
}

/** Takes grants that are to be renewed. */
@Injectable()
export class ClaimGrants {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly transaction: TenantTransaction,
    private readonly grants: HeldGrantsRepository,
    private readonly connections: OAuthConnections,
  ) {}

  /** Of all tenants, what is due. */
  async due(limit: number): Promise<ClaimedGrant[]> {
    const held = await this.sweep.run((manager) => this.grants.claimDue(manager, limit));
    const byTenant = Map.groupBy(held, ({ row }) => row.tenant_id);
    const claimed = await this.transaction.runEach([...byTenant.keys()], (manager, tenantId) =>
      this.withConnections(manager, byTenant.get(tenantId) ?? []),
    );
    return claimed.flat();
  }

  /**
   * One that was seen, unless somebody else holds it or has renewed it since.
   *
   * @param manager - Of its tenant.
   */
  async one(manager: EntityManager, seen: GrantRow): Promise<ClaimedGrant | undefined> {
    const { connection_id, generation } = seen;
    const held = await this.grants.claimOne(manager, connection_id, generation);
    return held && (await this.withConnections(manager, [held]))[0];
  }

  private async withConnections(
    manager: EntityManager,
    held: readonly HeldGrant[],
  ): Promise<ClaimedGrant[]> {
    const ids = held.map(({ row }) => row.connection_id);
    const connections = await this.connections.read(manager, ids);
    return held.flatMap((each) => {
      const connection = connections.get(each.row.connection_id);
      // Without its connection the row is gone too.
      return connection === undefined ? [] : [{ held: each, connection }];
    });
  }
}
