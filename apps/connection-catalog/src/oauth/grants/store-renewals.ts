import { Injectable } from '@nestjs/common';
import { GroupCommit, TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import type { OAuthConnection } from '../connections/oauth-connections.ts';
import type { GrantRow } from './grant.ts';
import { GrantEvents } from './grant-events.ts';
import type { Renewal } from './grant-lifecycle.ts';
import { type GrantChange, GrantsRepository } from './grants.repository.ts';
import { ProviderPauses } from './provider-pauses.ts';
import { TokenSecrets } from './token-secrets.ts';

/** What became of one grant. */
export interface RenewedGrant extends GrantChange {
  connection: OAuthConnection;
  /** Undefined where there was nothing to ask for. */
  renewal: Renewal | undefined;
  /** Whether it is the provider that did not answer, so that it is to be left alone. */
  isProviderSilent: boolean;
}

const MAX_BATCH = 200;

/** Stores what became of grants, many in one transaction, and tells the rest of Soma. */
@Injectable()
export class StoreRenewals {
  private readonly commits = new GroupCommit<RenewedGrant, boolean>({
    commit: (items) => this.commit(items),
    maxBatch: MAX_BATCH,
    maxParallel: 2,
    maxWaiting: 100_000,
  });

  constructor(
    private readonly transaction: TenantTransaction,
    private readonly grants: GrantsRepository,
    private readonly pauses: ProviderPauses,
    private readonly events: GrantEvents,
    private readonly secrets: TokenSecrets,
  ) {}

  /** Whether it counted: not if the grant had got another token meanwhile. */
  async execute(renewed: RenewedGrant): Promise<boolean> {
    const hasCounted = await this.commits.submit(renewed);
    if (!hasCounted && renewed.tokenVersion !== undefined) {
      await this.forgetRevoked(renewed.held.row);
    }
    this.events.note(renewed, hasCounted);
    return hasCounted;
  }

  /** A token that came after its grant was revoked must not stay behind. */
  private async forgetRevoked(row: GrantRow): Promise<void> {
    const grant = await this.transaction.run(row.tenant_id, (manager) =>
      this.grants.find(manager, row.connection_id),
    );
    if (grant === undefined || grant.status === 'revoked') {
      await this.secrets.forgetTokens(row);
    }
  }

  private async commit(items: RenewedGrant[]): Promise<boolean[]> {
    const byTenant = Map.groupBy(items, ({ held }) => held.row.tenant_id);
    const stored = await this.transaction.runEach([...byTenant.keys()], (manager, tenantId) =>
      this.commitTenant(manager, byTenant.get(tenantId) ?? []),
    );
    const counted = new Set(stored.flat());
    return items.map((item) => counted.has(item));
  }

  private async commitTenant(
    manager: EntityManager,
    items: RenewedGrant[],
  ): Promise<RenewedGrant[]> {
    const ids = await this.grants.store(manager, items);
    const counted = items.filter(({ held }) => ids.has(held.row.connection_id));
    await this.pauses.note(manager, items);
    await this.events.announce(manager, counted);
    await this.events.renewed(manager, counted);
    return counted;
  }
}
