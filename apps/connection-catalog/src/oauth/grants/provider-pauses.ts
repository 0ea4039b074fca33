import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { pauseAfter } from './grant-lifecycle.ts';
import type { RenewedGrant } from './store-renewals.ts';

/**
 * Leaves a provider alone for a while that does not answer, for all grants of a tenant at once. Each
 * tenant has its own: what one of them does at a provider must not keep the others waiting.
 */
@Injectable()
export class ProviderPauses {
  /** Learns from what came of renewals of one tenant. */
  async note(manager: EntityManager, renewals: readonly RenewedGrant[]): Promise<void> {
    const byEndpoint = Map.groupBy(renewals, ({ held }) => held.row.client.token_endpoint);
    // In one order, as the tenants are: each waits for whoever pauses the same one.
    const sorted = [...byEndpoint].sort(([one], [other]) => (one < other ? -1 : 1));
    for (const [endpoint, some] of sorted) {
      const silent = some.filter(({ isProviderSilent }) => isProviderSilent);
      if (silent.length === some.length) {
        await pause(manager, silent);
      } else if (some.some(({ tokenVersion }) => tokenVersion !== undefined)) {
        await manager.query('DELETE FROM catalog.oauth_pauses WHERE token_endpoint = $1', [
          endpoint,
        ]);
      }
    }
  }

  /** Until when a provider is left alone; undefined when it may be asked. */
  async find(manager: EntityManager, endpoint: string): Promise<Date | undefined> {
    const rows = await manager.query<{ until: Date }[]>(
      `SELECT until FROM catalog.oauth_pauses
        WHERE token_endpoint = $1 AND until > clock_timestamp()`,
      [endpoint],
    );
    return rows[0]?.until;
  }
}

/**
 * Once for all that were under way together: a pause that began after a request had left already knows
 * of the silence that the request met.
 */
async function pause(manager: EntityManager, silent: readonly RenewedGrant[]): Promise<void> {
  const [first] = silent;
  if (first === undefined) {
    return;
  }
  const { tenant_id, client } = first.held.row;
  const rows = await manager.query<{ failures: number; is_known: boolean }[]>(
    `SELECT failures, until > clock_timestamp() AS is_known FROM catalog.oauth_pauses
      WHERE token_endpoint = $1 FOR UPDATE`,
    [client.token_endpoint],
  );
  if (rows[0]?.is_known === true) {
    return;
  }
  const failures = (rows[0]?.failures ?? 0) + 1;
  const asked = Math.max(...silent.map(retryAfterOf));
  await manager.query(
    `INSERT INTO catalog.oauth_pauses (tenant_id, token_endpoint, failures, until)
     VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
     ON CONFLICT (tenant_id, token_endpoint) DO UPDATE
        SET failures = excluded.failures, until = excluded.until`,
    [tenant_id, client.token_endpoint, failures, pauseAfter(failures, Math.random(), asked) / 1000],
  );
}

function retryAfterOf({ renewal }: RenewedGrant): number {
  return renewal?.kind === 'unanswered' ? (renewal.retryAfterMs ?? 0) : 0;
}
