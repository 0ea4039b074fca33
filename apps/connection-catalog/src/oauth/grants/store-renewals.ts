import { Injectable } from '@nestjs/common';
import { GroupCommit, TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import type { OAuthConnection } from '../connections/oauth-connections.ts';
import { GrantEvents, hasChanged } from './grant-events.ts';
import type { Renewal } from './grant-lifecycle.ts';
import { type GrantChange, GrantsRepository } from './grants.repository.ts';
import { ProviderPauses } from './provider-pauses.ts';
import { type KeptTokens, TokenSecrets } from './token-secrets.ts';

/** What became of one grant. */
export interface RenewedGrant extends GrantChange {
  connection: OAuthConnection;
  /** New tokens that are kept with this change, or not at all. */
  unwritten: KeptTokens | undefined;
  /** Undefined where there was nothing to ask for. */
  renewal: Renewal | undefined;
  /** Whether it is the provider that did not answer, so that it is to be left alone. */
  isProviderSilent: boolean;
}

/** What was stored of one. */
export interface StoredRenewal {
  /** Not if the grant had got another token meanwhile. */
  hasCounted: boolean;
  tokenVersion: number | undefined;
}

const MAX_BATCH = 200;

/** Stores what became of grants, many in one transaction, and tells the rest of Soma. */
@Injectable()
export class StoreRenewals {
  private readonly commits = new GroupCommit<RenewedGrant, StoredRenewal>({
    commit: (items) => this.commit(items),
    maxBatch: MAX_BATCH,
    maxParallel: 2,
    maxWaiting: 100_000,
  });

  constructor(
    private readonly transaction: TenantTransaction,
    private readonly grants: GrantsRepository,
    private readonly secrets: TokenSecrets,
    private readonly pauses: ProviderPauses,
    private readonly events: GrantEvents,
  ) {}

  async execute(renewed: RenewedGrant): Promise<StoredRenewal> {
    const stored = await this.commits.submit(renewed);
    this.events.note(renewed, stored.hasCounted);
    return stored;
  }

  private async commit(items: RenewedGrant[]): Promise<StoredRenewal[]> {
    const byTenant = Map.groupBy(items, ({ held }) => held.row.tenant_id);
    // In one order: two that want the same rows then wait for each other, and never in a circle.
    const tenants = [...byTenant.keys()].sort();
    const results = new Map<RenewedGrant, StoredRenewal>();
    await this.transaction.runEach(tenants, async (manager, tenantId) => {
      const own = byTenant.get(tenantId) ?? [];
      const stored = await this.commitTenant(manager, tenantId, own);
      own.forEach((item, index) => {
        const result = stored[index];
        if (result !== undefined) results.set(item, result);
      });
    });
    return items.flatMap((item) => results.get(item) ?? []);
  }

  private async commitTenant(
    manager: EntityManager,
    tenantId: string,
    items: RenewedGrant[],
  ): Promise<StoredRenewal[]> {
    const kept = await this.writeTokens(manager, tenantId, items);
    const ids = await this.grants.store(manager, kept);
    const counted = kept.filter(({ held }) => ids.has(held.row.connection_id));
    await this.pauses.note(manager, kept);
    const told = counted.filter((each) => each.tokenVersion !== undefined || hasChanged(each));
    await this.events.announce(
      manager,
      told.map(({ connection }) => connection),
    );
    await this.events.renewed(manager, counted);
    return kept.map(({ held, tokenVersion }) => ({
      hasCounted: ids.has(held.row.connection_id),
      tokenVersion,
    }));
  }

  /** The same items, each with the version of the tokens that came with it. */
  private async writeTokens(
    manager: EntityManager,
    tenantId: string,
    items: readonly RenewedGrant[],
  ): Promise<RenewedGrant[]> {
    const fresh = items.flatMap((item) =>
      item.unwritten === undefined ? [] : [{ item, owner: item.held.row, tokens: item.unwritten }],
    );
    if (fresh.length === 0) {
      return [...items];
    }
    const versions = await this.secrets.writeWithin(manager, tenantId, fresh);
    const versionOf = new Map(fresh.map(({ item }, index) => [item, versions[index]]));
    return items.map((item) => ({
      ...item,
      tokenVersion: versionOf.get(item) ?? item.tokenVersion,
    }));
  }
}
