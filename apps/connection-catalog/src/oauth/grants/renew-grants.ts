import { Injectable } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import { type OAuthConnection, OAuthConnections } from '../connections/oauth-connections.ts';
import { type AskedTokens, AskForTokens } from './ask-for-tokens.ts';
import type { HeldGrant } from './grant.ts';
import { afterExpiry, afterRenewal } from './grant-lifecycle.ts';
import { RenewalMoment } from './renewal-moment.ts';
import { StoreRenewals } from './store-renewals.ts';

/** Renews the tokens of grants that this process holds, or finds that they are over. */
@Injectable()
export class RenewGrants {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: OAuthConnections,
    private readonly asking: AskForTokens,
    private readonly storing: StoreRenewals,
    private readonly moment: RenewalMoment,
  ) {}

  /** Resolves when each is stored, or too late to be asked for; rejects when one is not, and then its lease runs out. */
  async execute(held: readonly HeldGrant[]): Promise<void> {
    const connections = await this.readConnections(held);
    const outcomes = await Promise.allSettled(
      held.map(async (each) => {
        const connection = connections.get(each.row.connection_id);
        // Without its connection the row is gone too.
        return connection && this.renew(each, connection);
      }),
    );
    const failure = outcomes.find(({ status }) => status === 'rejected');
    if (failure?.status === 'rejected') {
      throw failure.reason;
    }
  }

  private async readConnections(held: readonly HeldGrant[]): Promise<Map<string, OAuthConnection>> {
    const byTenant = Map.groupBy(held, ({ row }) => row.tenant_id);
    const maps = await this.transaction.runEach([...byTenant.keys()], (manager, tenantId) => {
      const ids = (byTenant.get(tenantId) ?? []).map(({ row }) => row.connection_id);
      return this.connections.read(manager, ids);
    });
    return new Map(maps.flatMap((map) => [...map]));
  }

  private async renew(held: HeldGrant, connection: OAuthConnection): Promise<void> {
    const { isRenewable } = held.state;
    const asked: Partial<AskedTokens> | undefined = isRenewable
      ? await this.asking.execute(held, connection)
      : {};
    if (asked === undefined) {
      return;
    }
    const { renewal, tokenVersion, scope, isProviderSilent = false } = asked;
    const moment = this.moment.now();
    const next =
      renewal === undefined
        ? afterExpiry(held.state, moment.now)
        : afterRenewal(held.state, renewal, moment);
    await this.storing.execute({
      ...{ held, connection, next, renewal, tokenVersion, scope, isProviderSilent },
    });
  }
}
