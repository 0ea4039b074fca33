import { randomInt } from 'node:crypto';
import { startAccessServers } from '@soma/testing';
import autocannon, { type Request } from 'autocannon';
import { figureOf, type Report } from './figure.ts';
import { startApp } from './processes.ts';
import { interleave } from './rounds.ts';
import { startServers } from './servers.ts';

const CONNECTIONS = 64;
const ROUND_S = 3;
/** Asked for many times a second, so that what was decided of them is remembered. */
const BUSY_SESSIONS = 20;
/** Asked for more rarely than anything is remembered. */
const QUIET_SESSIONS = 4_000;
/** One request in so many is for a session that is quiet. */
const QUIET_ONE_IN = 10;
const MESSAGE = 'What did we agree on yesterday? '.repeat(6);

/** What it costs to ask policy and relationships about each request. */
export async function authorisation(): Promise<Report> {
  await using servers = await startServers();
  await using running = new AsyncDisposableStack();
  const { settings } = await startAccessServers(running);
  await using without = await startApp('gateway', servers);
  await using asking = await startApp('gateway', servers, settings);
  await makeSessions(without.url, servers.token);

  const read = { method: 'GET', path: ({ session }: Named) => `/v1/session/${session}` } as const;
  const write = {
    method: 'POST',
    path: () => '/v1/session/message',
    body: ({ session }: Named) => JSON.stringify({ session_id: session, message: MESSAGE }),
  } as const;
  const compare = async (kind: Kind): ReturnType<typeof interleave<'soma' | 'bare', number>> => {
    // A connection keeps the plans of its statements. Made while the tables were all but empty, they
    // would be good for one gateway and bad for the other; new statistics have all of them made anew.
    await servers.postgres.execute('ANALYZE');
    return interleave({
      soma: () => load(asking.url, servers.token, kind),
      bare: () => load(without.url, servers.token, kind),
    });
  };
  const about = { unit: 'requests/s', goal: { atLeast: 0.9 } };
  return {
    figures: [
      figureOf(
        { name: 'messages with all authorisation on, to off', ...about },
        await compare(write),
      ),
      figureOf(
        { name: 'look-ups with all authorisation on, to off', ...about },
        await compare(read),
      ),
    ],
    settings: [
      `authorisation: ${CONNECTIONS} connections, rounds of ${ROUND_S} s, one request in ` +
        `${QUIET_ONE_IN} for a session of which nothing is remembered, so that 90 % of the ` +
        'decisions are; the caller is a service, whose relation to its tenant is one answer for all ' +
        'its sessions; OPA and OpenFGA run on the same machine; bare is the same gateway without ' +
        'them, whose declarations decide alone.',
    ],
  };
}

interface Named {
  session: string;
}

/** What is asked of a session. */
interface Kind {
  method: 'GET' | 'POST';
  path: (named: Named) => string;
  body?: (named: Named) => string;
}

async function load(url: string, token: string, { method, path, body }: Kind): Promise<number> {
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: ROUND_S,
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    requests: [
      {
        setupRequest: (request: Request): Request => {
          const named = { session: anySession() };
          return { ...request, path: path(named), ...(body && { body: body(named) }) };
        },
      },
    ],
  });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(`${url}: ${result.non2xx} refused, ${result.errors} failed.`);
  }
  return result['2xx'] / result.duration;
}

function anySession(): string {
  return randomInt(QUIET_ONE_IN) === 0
    ? `quiet-${randomInt(QUIET_SESSIONS)}`
    : `busy-${randomInt(BUSY_SESSIONS)}`;
}

async function makeSessions(url: string, token: string): Promise<void> {
  const names = [
    ...Array.from({ length: BUSY_SESSIONS }, (_, index) => `busy-${index}`),
    ...Array.from({ length: QUIET_SESSIONS }, (_, index) => `quiet-${index}`),
  ];
  const makeNext = async (): Promise<void> => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const response = await fetch(`${url}/v1/session/message`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ session_id: name, message: 'Hello' }),
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`No session was made: ${response.status}.`);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, makeNext));
}
