import { setTimeout as delay } from 'node:timers/promises';
import autocannon from 'autocannon';
import { figureOf, type Report } from './figure.ts';
import { startApp, startBareService } from './processes.ts';
import { interleave, median } from './rounds.ts';
import { type Servers, startServers } from './servers.ts';

const CONNECTIONS = 64;
const ROUND_S = 3;
const DRAIN_LIMIT_MS = 60_000;
const MESSAGE = 'What did we agree on yesterday? '.repeat(6);

/** How many messages a second are taken in durably. */
export async function accept(): Promise<Report> {
  await using servers = await startServers();
  await using gateway = await startApp('gateway', servers);
  await using bare = await startBareService('bare/accept.ts', {
    DATABASE_URL: servers.postgres.ownerUrl,
    KAFKA_BROKERS: servers.kafka.brokers,
  });

  const drains: number[] = [];
  const rounds = await interleave({
    soma: async () => {
      const rate = await load(`${gateway.url}/v1/session/message`, servers.token);
      drains.push(await drain(servers));
      return rate;
    },
    bare: () => load(`${bare.url}/insert-and-send`, servers.token),
    sendOnly: () => load(`${bare.url}/send`, servers.token),
  });
  const unit = 'accepts/s';
  return {
    figures: [
      figureOf({ name: 'accept, to INSERT and send', unit, goal: { atLeast: 1.3 } }, rounds),
      figureOf(
        { name: 'accept, to the send alone', unit },
        rounds.map(({ soma, sendOnly }) => ({ soma, bare: sendOnly })),
      ),
    ],
    settings: [
      `accept: ${CONNECTIONS} connections, rounds of ${ROUND_S} s, each message opens a session; ` +
        'bare is Fastify with a pool of 10 connections, without authentication.',
      `accept: Kafka has the last row ${Math.round(median(drains))} ms after the load ends (median).`,
    ],
  };
}

async function load(url: string, token: string): Promise<number> {
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: ROUND_S,
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ message: MESSAGE }),
  });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(`${url}: ${result.non2xx} refused, ${result.errors} failed.`);
  }
  return result['2xx'] / result.duration;
}

/** Waits until Kafka has every row, so that the next contender has the machine for itself. */
async function drain(servers: Servers): Promise<number> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < DRAIN_LIMIT_MS) {
    const [row] = await servers.postgres.execute(
      'SELECT FROM conversation.session_events WHERE published_at IS NULL LIMIT 1',
    );
    if (!row) return performance.now() - startedAt;
    await delay(20);
  }
  throw new Error('The outbox was not drained in time.');
}
