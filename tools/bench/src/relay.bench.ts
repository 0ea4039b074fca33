import { setTimeout as delay } from 'node:timers/promises';
import { startBareRelay } from './bare/relay.ts';
import { figureOf, type Report } from './figure.ts';
import { startApp } from './processes.ts';
import { interleave } from './rounds.ts';
import { type Servers, startServers, TENANT } from './servers.ts';

const ROWS = 10_000;
const LIMIT_MS = 60_000;

/** How many rows a second of a backlog reach Kafka. */
export async function relay(): Promise<Report> {
  await using servers = await startServers();
  await using running = new AsyncDisposableStack();
  running.use(await startApp('gateway', servers));
  const { ownerUrl } = servers.postgres;
  await using bare = await startBareRelay(ownerUrl, servers.kafka.brokers);

  let backlogs = 0;
  const rounds = await interleave({
    soma: async () => {
      backlogs += 1;
      await fillOutbox(servers, `backlog-${backlogs}`);
      return drainRate(servers, `backlog-${backlogs}`);
    },
    bare: async () => {
      await bare.fill(ROWS, envelopeOf('backlog'));
      const startedAt = performance.now();
      await bare.drain();
      return (1_000 * ROWS) / (performance.now() - startedAt);
    },
  });
  return {
    figures: [
      figureOf({ name: 'relay of a backlog', unit: 'rows/s', goal: { atLeast: 0.6 } }, rounds),
    ],
    settings: [
      `relay: ${ROWS} rows a round, ${envelopeOf('').length} bytes each, one record a row, found by ` +
        "the gateway's poll; bare reads 500 rows, sends one batch and updates them.",
    ],
  };
}

/** Rows that were committed a while ago and never published: their process died. */
async function fillOutbox({ postgres }: Servers, sessionId: string): Promise<void> {
  await postgres.execute(
    `INSERT INTO conversation.session_events
       (tenant_id, session_id, seq, event_id, type, envelope, occurred_at)
     SELECT $1, $2 || '-' || number / 10, number, $2 || number, 'session.updated', $3::json,
            now() - interval '1 minute'
       FROM generate_series(1, $4::int) AS number`,
    [TENANT, sessionId, envelopeOf(sessionId), ROWS],
  );
}

/**
 * How fast they went. Each pass marks its rows with the time at which it began, so the rate is that
 * of all passes but the last, and looking on need not be quick.
 */
async function drainRate({ postgres }: Servers, sessionId: string): Promise<number> {
  const deadline = Date.now() + LIMIT_MS;
  while (Date.now() < deadline) {
    await delay(200);
    const [left] = await postgres.execute(
      'SELECT FROM conversation.session_events WHERE published_at IS NULL LIMIT 1',
    );
    if (!left) return await rateOfPasses(postgres, sessionId);
  }
  throw new Error('The backlog was not drained in time.');
}

async function rateOfPasses(postgres: Servers['postgres'], sessionId: string): Promise<number> {
  const passes = await postgres.execute(
    `SELECT extract(epoch FROM published_at)::float8 AS began, count(*)::int AS rows
       FROM conversation.session_events WHERE session_id LIKE $1 || '-%' GROUP BY published_at ORDER BY 1`,
    [sessionId],
  );
  // As the statement above makes them.
  const rows = passes as { began: number; rows: number }[];
  const first = rows[0];
  const last = rows.at(-1);
  if (!first || !last) throw new Error('Nothing was published.');
  return (ROWS - last.rows) / (last.began - first.began);
}

function envelopeOf(sessionId: string): string {
  return JSON.stringify({
    schema: 'conversation.outbound.v1',
    session_id: sessionId,
    tenant_id: TENANT,
    message: 'A line of text as people write them. '.repeat(8),
  });
}
