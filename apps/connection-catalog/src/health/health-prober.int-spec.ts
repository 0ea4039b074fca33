import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@soma/testing';
import { type CatalogServers, createCatalogServers, startCatalog } from '../spec-support.ts';

/** Four times as many a second as 2,000 connections every five minutes. */
const CONNECTIONS = 100;
const INTERVAL_S = 4;
/** One of twenty. */
const DEAD = CONNECTIONS / 20;
/** How long a dead host holds a check. */
const HOLD_S = 10;

describe('the prober', () => {
  const running = new AsyncDisposableStack();
  let servers: CatalogServers;

  async function portOf(server: Server): Promise<number> {
    running.defer(() => {
      server.close();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  }

  beforeAll(async () => {
    servers = await createCatalogServers(running);
    const live = createHttp((_request, response) => response.end());
    running.defer(() => {
      live.closeAllConnections();
    });
    // It takes connections, and never says a word.
    const dead = createTcp(() => undefined);
    const [livePort, deadPort] = [await portOf(live), await portOf(dead)];
    await servers.database.execute(
      `INSERT INTO catalog.connections (tenant_id, connection_id, name, type, fields, created_by)
       SELECT 'tenant-' || n % 20, gen_random_uuid(),
              CASE WHEN n <= $1 THEN 'dead-' ELSE 'live-' END || n, 'generic_http',
              jsonb_build_object('base_url', CASE WHEN n <= $1 THEN $2::text ELSE $3::text END), 'test'
         FROM generate_series(1, $4::int) AS n`,
      [DEAD, `http://127.0.0.1:${deadPort}`, `http://127.0.0.1:${livePort}`, CONNECTIONS],
    );
    const settings = {
      OUTBOUND_ALLOWED_HOSTS: '127.0.0.1',
      INTEGRATIONS_HEALTH_CHECK_INTERVAL_SECONDS: String(INTERVAL_S),
    };
    running.use(await startCatalog(servers, settings));
    running.use(await startCatalog(servers, settings));
  });
  afterAll(() => running.disposeAsync());

  /** The pauses between the checks of each connection that lives, in seconds. */
  async function pauses(): Promise<number[]> {
    const rows = await servers.database.execute(
      `SELECT extract(epoch FROM checked_at - lag(checked_at) OVER (
                PARTITION BY tenant_id, connection_id ORDER BY checked_at))::float AS pause
         FROM catalog.connection_checks JOIN catalog.connections USING (tenant_id, connection_id)
        WHERE name LIKE 'live-%'`,
    );
    return rows
      .flatMap(({ pause }) => (typeof pause === 'number' ? [pause] : []))
      .sort((a, b) => a - b);
  }

  it('looks at each connection once an interval, over all pods, however many are dead', async () => {
    const found = await until(async () => {
      const each = await pauses();
      return each.length >= CONNECTIONS && each;
    });
    const median = found[Math.floor(found.length / 2)] ?? Infinity;
    // The first check of a dead one takes as long as a check may.
    const health = await until(async () => {
      const rows = await servers.database.execute(
        `SELECT split_part(name, '-', 1) AS kind, array_agg(DISTINCT health) AS health
           FROM catalog.connections GROUP BY 1 ORDER BY 1`,
      );
      return JSON.stringify(rows).includes('unknown') ? undefined : rows;
    });

    expect(found.length).toBeGreaterThanOrEqual(CONNECTIONS);
    // Two pods do not look twice, and hosts that hold a check hold up no other one.
    expect(found[0]).toBeGreaterThan(INTERVAL_S * 0.85);
    expect(median).toBeLessThan(HOLD_S);
    expect(health).toEqual([
      { kind: 'dead', health: [expect.stringMatching(/^(degraded|unhealthy)$/)] },
      { kind: 'live', health: ['healthy'] },
    ]);
  });

  it('comes to each at another moment, so that not all are looked at at once', async () => {
    const rows = await servers.database.execute(
      `SELECT extract(epoch FROM health_due_at - health_checked_at)::float AS pause
         FROM catalog.connections WHERE name LIKE 'live-%' AND health_due_at > health_checked_at
          AND health_due_at < health_checked_at + $1 * interval '2 seconds'`,
      [INTERVAL_S],
    );
    const due = rows.map(({ pause }) => Number(pause)).sort((a, b) => a - b);

    expect(due.length).toBeGreaterThan(CONNECTIONS / 2);
    expect(due[0]).toBeGreaterThan(INTERVAL_S * 0.85);
    expect(due.at(-1)).toBeLessThan(INTERVAL_S * 1.15);
    expect((due.at(-1) ?? 0) - (due[0] ?? 0)).toBeGreaterThan(INTERVAL_S * 0.1);
  });

  it('takes over from a pod that died with its claim, when that ends and not before', async () => {
    // As a claim leaves it.
    await servers.database.execute(
      `INSERT INTO catalog.connections
         (tenant_id, connection_id, name, type, fields, created_by, health_due_at)
       SELECT 'tenant-1', gen_random_uuid(), 'orphan', type, fields, 'test',
              clock_timestamp() + interval '2 seconds'
         FROM catalog.connections WHERE name = 'live-' || $1`,
      [CONNECTIONS],
    );
    const [claimed] = await servers.database.execute(
      `SELECT health_due_at AS until FROM catalog.connections WHERE name = 'orphan'`,
    );

    const checked = await until(async () => {
      const [row] = await servers.database.execute(
        `SELECT health, health_checked_at AS at FROM catalog.connections WHERE name = 'orphan'`,
      );
      return row?.['at'] ? row : undefined;
    });

    expect(checked['health']).toBe('healthy');
    expect(Number(checked['at'])).toBeGreaterThanOrEqual(Number(claimed?.['until']));
  });
});
