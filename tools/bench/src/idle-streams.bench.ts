import { setTimeout as delay } from 'node:timers/promises';
import { figureOf, type Report } from './figure.ts';
import { type Service, startApp, startBareService } from './processes.ts';
import { Readers } from './readers.ts';
import { interleave } from './rounds.ts';
import { type Servers, startServers, TENANT } from './servers.ts';

const STREAMS = 1_000;
/** Until what a closed or a new connection leaves behind for a moment is gone. */
const SETTLE_MS = 300;

/** How much heap an open stream takes on which nothing happens. */
export async function idleStreams(): Promise<Report> {
  await using servers = await startServers();
  const sessionIds = await makeSessions(servers);
  await using gateway = await startApp('gateway', servers);
  await using bare = await startBareService('bare/streams.ts');
  await using readers = await Readers.start();
  const measure = (service: Service, paths: string[]) => async () => {
    const before = await heapOf(service);
    await readers.open({ url: service.url, paths, token: servers.token });
    const open = await heapOf(service);
    await readers.close();
    return (open - before) / STREAMS;
  };

  const ofOneSession = sessionIds.map(() => pathOf(sessionIds[0] ?? ''));
  const rounds = await interleave({
    soma: measure(gateway, sessionIds.map(pathOf)),
    oneSession: measure(gateway, ofOneSession),
    bare: measure(
      bare,
      sessionIds.map(() => '/'),
    ),
  });
  const unit = 'bytes';
  const goal = { atMost: 1.4 };
  return {
    figures: [
      figureOf(
        { name: 'heap of an idle stream, all of one session', unit, goal },
        rounds.map(({ oneSession, bare: least }) => ({ soma: oneSession, bare: least })),
      ),
      figureOf({ name: 'heap of an idle stream, each of its own session', unit }, rounds),
    ],
    settings: [
      `idle streams: ${STREAMS} at once, used heap after a collection, before and after; bare is ` +
        "Node's http with an open response.",
    ],
  };
}

/** Sessions in which nothing was said yet. */
async function makeSessions(servers: Servers): Promise<string[]> {
  await servers.postgres.execute(
    `INSERT INTO conversation.sessions
       (tenant_id, session_id, last_seq, created_by, created_at, updated_at)
     SELECT $1, 'idle-' || number, 0, 'bench', now(), now()
       FROM generate_series(1, $2::int) AS number`,
    [TENANT, STREAMS],
  );
  return Array.from({ length: STREAMS }, (_, index) => `idle-${index + 1}`);
}

const pathOf = (sessionId: string): string => `/v1/session/${sessionId}/events`;

async function heapOf(service: Service): Promise<number> {
  await delay(SETTLE_MS);
  return Number(await service.ask({ do: 'collect' }));
}
