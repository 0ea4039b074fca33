import { Injectable } from '@nestjs/common';
import { GroupCommit, TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import type { OAuthConnection } from '../connections/oauth-connections.ts';
import { ForgetTokens } from './forget-tokens.ts';
import { GrantEvents, hasChanged } from './grant-events.ts';
import { CONNECTION_CHANGED, type Renewal } from './grant-lifecycle.ts';
import { type GrantChange, GrantsRepository } from './grants.repository.ts';
import { ProviderPauses } from './provider-pauses.ts';
import { TellProvider } from './tell-provider.ts';

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
    private readonly telling: TellProvider,
    private readonly forgetting: ForgetTokens,
  ) {}

  /** Whether it counted: not if the grant had got another token meanwhile. */
  async execute(renewed: RenewedGrant): Promise<boolean> {
    const hasCounted = await this.commits.submit(renewed);
    if (!hasCounted && renewed.tokenVersion !== undefined) {
      await this.dropUncounted(renewed, renewed.tokenVersion);
    }
    this.events.note(renewed, hasCounted);
    return hasCounted;
  }

  /** A token that came after its grant was revoked must not stay behind, neither there nor here. */
  private async dropUncounted({ connection }: RenewedGrant, tokenVersion: number): Promise<void> {
    const { tenant_id, connection_id } = connection;
    const grant = await this.transaction.run(tenant_id, (manager) =>
      this.grants.find(manager, connection_id),
    );
    if (grant?.status === 'revoked' || grant?.reason === CONNECTION_CHANGED) {
      await this.telling.execute(connection, grant, tokenVersion);
    }
    await this.forgetting.execute(connection);
  }

  private async commit(items: RenewedGrant[]): Promise<boolean[]> {
    const byTenant = Map.groupBy(items, ({ held }) => held.row.tenant_id);
    // In one order: two that want the same rows then wait for each other, and never in a circle.
    const tenants = [...byTenant.keys()].sort();
    const stored = await this.transaction.runEach(tenants, (manager, tenantId) =>
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
    const told = counted.filter((each) => each.tokenVersion !== undefined || hasChanged(each));
    await this.events.announce(
      manager,
      told.map(({ connection }) => connection),
    );
    await this.events.renewed(manager, counted);
    return counted;
  }
}
