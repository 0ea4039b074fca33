import { Injectable } from '@nestjs/common';
import { SweepTransaction } from '@soma/persistence';
import type { SessionName } from './timeline.ts';

/** How turns are shared out. */
export interface FairShare {
  /** The most turns of one tenant at once, over all workers. */
  maxPerTenant: number;
  /** How many times another tenant's share a tenant gets; 1 where it is not named. */
  weights: Readonly<Record<string, number>>;
}

/** Looks over all tenants for turns that can be taken. */
@Injectable()
export class FindTurns {
  constructor(private readonly sweep: SweepTransaction) {}

  /**
   * Sessions with a turn that is ready, in a fair order, which are then taken as served: first the
   * tenants that have the fewest turns running for their weight, and among those whoever has waited
   * longest for its weight since it was served. So tenants take turns also where one slot is all
   * there is, and a tenant with many queued turns delays another's single one by a turn's time at
   * most. Within a tenant the oldest come first.
   */
  ready(limit: number, { maxPerTenant, weights }: FairShare): Promise<SessionName[]> {
    return this.sweep.run((manager) =>
      manager.query<SessionName[]>(READY, [limit, maxPerTenant, JSON.stringify(weights)]),
    );
  }

  /** Sessions whose running turn belongs to a worker whose lease has expired. */
  abandoned(limit: number): Promise<SessionName[]> {
    return this.sweep.run((manager) =>
      manager.query<SessionName[]>(
        `SELECT tenant_id AS "tenantId", session_id AS "sessionId"
           FROM conversation.turns
          WHERE state = 'running' AND owner IS NOT NULL
            AND NOT EXISTS (SELECT FROM conversation.workers AS worker
                             WHERE worker.worker_id = owner
                               AND worker.expires_at > clock_timestamp())
          LIMIT $1`,
        [limit],
      ),
    );
  }

  /** How many turns of all tenants are in each unfinished state. */
  async count(): Promise<Record<'pending' | 'running' | 'waiting', number>> {
    const rows = await this.sweep.run((manager) =>
      manager.query<{ state: 'pending' | 'running' | 'waiting'; count: number }[]>(
        `SELECT state, count(*)::int AS count FROM conversation.turns
          WHERE state IN ('pending', 'running', 'waiting') GROUP BY state`,
      ),
    );
    const counts = { pending: 0, running: 0, waiting: 0 };
    for (const { state, count } of rows) {
      counts[state] = count;
    }
    return counts;
  }
}

// The recursion hops over the index from tenant to tenant, so that 10,000 queued turns of one
// tenant are not read to find another's. Of each tenant no more than `limit` are looked at.
const READY = `
  WITH RECURSIVE tenant AS (
    (SELECT tenant_id FROM conversation.turns WHERE ready_at IS NOT NULL
      ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT tenant_id FROM conversation.turns
             WHERE ready_at IS NOT NULL AND tenant_id > tenant.tenant_id
             ORDER BY tenant_id LIMIT 1)
      FROM tenant WHERE tenant.tenant_id IS NOT NULL
  ), busy AS (
    SELECT tenant_id, count(*) AS running FROM conversation.turns
     WHERE state = 'running' AND owner IS NOT NULL GROUP BY tenant_id
  ), candidate AS (
    SELECT tenant.tenant_id, oldest.session_id, oldest.ready_at,
           coalesce(busy.running, 0) + oldest.rank - 1 AS ahead,
           share.weight,
           coalesce(extract(epoch FROM clock_timestamp() - served.served_at), 'infinity')
             * share.weight AS waited
      FROM tenant
      LEFT JOIN busy USING (tenant_id)
      LEFT JOIN conversation.tenants_served AS served USING (tenant_id)
     CROSS JOIN LATERAL (
       SELECT coalesce(($3::jsonb ->> tenant.tenant_id)::float8, 1) AS weight) AS share
     CROSS JOIN LATERAL (
       SELECT session_id, ready_at, row_number() OVER (ORDER BY ready_at) AS rank
         FROM (SELECT session_id, ready_at FROM conversation.turns
                WHERE tenant_id = tenant.tenant_id AND ready_at <= statement_timestamp()
                ORDER BY ready_at LIMIT $1) AS ready) AS oldest
  ), chosen AS (
    SELECT * FROM candidate WHERE ahead < $2
     ORDER BY ahead / weight, waited DESC, ready_at LIMIT $1
  ), served AS (
    INSERT INTO conversation.tenants_served (tenant_id, served_at)
    SELECT tenant_id, clock_timestamp() FROM chosen GROUP BY tenant_id ORDER BY tenant_id
    ON CONFLICT (tenant_id) DO UPDATE SET served_at = EXCLUDED.served_at
  )
  SELECT tenant_id AS "tenantId", session_id AS "sessionId" FROM chosen
   ORDER BY ahead / weight, waited DESC, ready_at`;
