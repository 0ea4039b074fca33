import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { oauthClient } from '../protocol/oauth-client.ts';
import type { NextPoll } from './device-polling.ts';

/** How long a process may take to ask for one device's code before another one does. */
const LEASE_SECONDS = 20;
/** How long it can be read why an authorisation came to nothing. */
const KEPT_DAYS = 1;

const flowRow = z.object({
  tenant_id: z.string(),
  flow_id: z.string(),
  connection_id: z.string(),
  grant_type: z.enum(['authorization_code', 'device_code']),
  client: oauthClient,
  client_secret_version: z.int().nullable(),
  started_by: z.string(),
  redirect_uri: z.string().nullable(),
  device_code_version: z.int().nullable(),
  poll_seconds: z.int().nullable(),
  ended: z.string().nullable(),
  expires_at: z.date(),
});
/** A row of `catalog.oauth_flows`, without its hashes. */
export type FlowRow = z.output<typeof flowRow>;

/** What begins. */
export type NewFlow = Omit<FlowRow, 'ended' | 'expires_at'> & {
  state_hash: Buffer | null;
  browser_hash: Buffer | null;
  expires_in_seconds: number;
};

/** The queries of authorisations under way, each in the transaction it is given. */
@Injectable()
export class FlowsRepository {
  /** Begins one. A device's code replaces the one before it; ways to a provider stand side by side. */
  async start(manager: EntityManager, flow: NewFlow): Promise<Date> {
    await manager.query(
      `DELETE FROM catalog.oauth_flows WHERE connection_id = $1
          AND (ended IS NOT NULL OR $2 = 'device_code' AND grant_type = $2)`,
      [flow.connection_id, flow.grant_type],
    );
    const [row] = await manager.query<{ expires_at: Date }[]>(
      `INSERT INTO catalog.oauth_flows
         (tenant_id, flow_id, connection_id, grant_type, client, client_secret_version, started_by,
          redirect_uri, state_hash, browser_hash, device_code_version, poll_seconds, due_at,
          expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
               clock_timestamp() + make_interval(secs => $12::integer),
               clock_timestamp() + make_interval(secs => $13))
       RETURNING expires_at`,
      [
        ...[flow.tenant_id, flow.flow_id, flow.connection_id, flow.grant_type],
        ...[JSON.stringify(flow.client), flow.client_secret_version, flow.started_by],
        ...[flow.redirect_uri, flow.state_hash, flow.browser_hash, flow.device_code_version],
        ...[flow.poll_seconds, flow.expires_in_seconds],
      ],
    );
    return z.date().parse(row?.expires_at);
  }

  /**
   * Whose state it is.
   *
   * @param manager - Of a sweep: the browser that comes back says of no tenant that it is its own.
   */
  async findTenant(manager: EntityManager, stateHash: Buffer): Promise<string | undefined> {
    const rows = await manager.query<{ tenant_id: string }[]>(
      'SELECT tenant_id FROM catalog.oauth_flows WHERE state_hash = $1',
      [stateHash],
    );
    return rows[0]?.tenant_id;
  }

  /**
   * Takes the flow that a browser comes back for, once: neither state nor browser is known any more
   * afterwards. Another browser takes nothing, so it cannot end the flow either.
   */
  async take(
    manager: EntityManager,
    { stateHash, browserHash }: { stateHash: Buffer; browserHash: Buffer },
  ): Promise<FlowRow | undefined> {
    const [rows] = await manager.query<[unknown[], number]>(
      `UPDATE catalog.oauth_flows
          SET state_hash = NULL, browser_hash = NULL, ended = 'interrupted'
        WHERE state_hash = $1 AND browser_hash = $2 AND expires_at > clock_timestamp()
       RETURNING *`,
      [stateHash, browserHash],
    );
    return rows.map((row) => flowRow.parse(row))[0];
  }

  async end(manager: EntityManager, flowId: string, reason: string): Promise<void> {
    await manager.query(
      `UPDATE catalog.oauth_flows
          SET ended = $2, state_hash = NULL, browser_hash = NULL, due_at = NULL
        WHERE flow_id = $1`,
      [flowId, reason],
    );
  }

  async remove(manager: EntityManager, flowId: string): Promise<void> {
    await manager.query('DELETE FROM catalog.oauth_flows WHERE flow_id = $1', [flowId]);
  }

  /** The newest of a connection. */
  async newest(manager: EntityManager, connectionId: string): Promise<FlowRow | undefined> {
    const rows = await manager.query<unknown[]>(
      `SELECT * FROM catalog.oauth_flows WHERE connection_id = $1 ORDER BY created_at DESC LIMIT 1`,
      [connectionId],
    );
    return rows.map((row) => flowRow.parse(row))[0];
  }

  /**
   * Takes the device codes of all tenants that may be asked for now.
   *
   * @param manager - Of a sweep.
   */
  async claimDue(manager: EntityManager, limit: number): Promise<FlowRow[]> {
    const [rows] = await manager.query<[unknown[], number]>(
      `WITH due AS MATERIALIZED (
         SELECT tenant_id, flow_id FROM catalog.oauth_flows
          WHERE due_at <= statement_timestamp()
            AND (leased_until IS NULL OR leased_until < clock_timestamp())
          ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
       UPDATE catalog.oauth_flows AS kept
          SET leased_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})
         FROM due WHERE (kept.tenant_id, kept.flow_id) = (due.tenant_id, due.flow_id)
       RETURNING kept.*`,
      [limit],
    );
    return rows.map((row) => flowRow.parse(row));
  }

  /** Stores when a device's code may be asked for again, or that it is over. */
  async postpone(manager: EntityManager, flowId: string, next: NextPoll): Promise<void> {
    if ('ended' in next) {
      await this.end(manager, flowId, next.ended);
      return;
    }
    await manager.query(
      `UPDATE catalog.oauth_flows SET poll_seconds = $2, due_at = $3, leased_until = NULL
        WHERE flow_id = $1 AND ended IS NULL`,
      [flowId, next.pollSeconds, next.dueAt],
    );
  }

  /** Forgets what nobody finished. @param manager - Of a sweep. */
  async forgetOld(manager: EntityManager): Promise<void> {
    await manager.query(
      `DELETE FROM catalog.oauth_flows
        WHERE expires_at < clock_timestamp() - make_interval(days => ${KEPT_DAYS})`,
    );
    await manager.query(
      `DELETE FROM catalog.oauth_pauses
        WHERE until < clock_timestamp() - make_interval(days => ${KEPT_DAYS})`,
    );
  }
}
