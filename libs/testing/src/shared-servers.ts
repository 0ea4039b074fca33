import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildGoServers } from './go-tools.ts';
import { startKafka } from './kafka.ts';
import { installMoto } from './moto.ts';
import { startPostgres } from './postgres.ts';
import { startRedis } from './redis.ts';

/** Environment variable that tells a test run which servers to use. */
export const SERVERS_VARIABLE = 'SOMA_TEST_SERVERS';

/** Addresses of the servers that every test file of a run shares. */
export interface SharedServers {
  postgresUrl: string;
  redisUrl: string;
  brokers: string;
  pids: number[];
}

/**
 * Starts one server of each kind, all at once, and meanwhile gets those servers that a test file starts
 * for itself: a test's time limit is too short for a build.
 */
export async function startSharedServers(): Promise<SharedServers & AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const building = Promise.all([buildGoServers(), installMoto()]);
  const started = await Promise.allSettled([startPostgres(), startRedis(), startKafka()]);
  for (const server of started) if (server.status === 'fulfilled') stack.use(server.value);
  const [postgres, redis, kafka] = started;
  try {
    await building;
    return {
      postgresUrl: valueOf(postgres).ownerUrl,
      redisUrl: valueOf(redis).url,
      brokers: valueOf(kafka).brokers,
      pids: [valueOf(postgres).pid, valueOf(redis).pid, valueOf(kafka).pid],
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Where a set that somebody keeps up for all runs of this checkout is written down. */
export function recordOfServers(workspace: string): string {
  return join(workspace, '.soma', 'test-servers.json');
}

/** The set that is kept up for this checkout, if all of it is alive. */
export function runningServers(workspace: string): SharedServers | undefined {
  const record = recordOfServers(workspace);
  if (!existsSync(record)) return undefined;
  // We wrote the file ourselves, in one piece.
  const servers = JSON.parse(readFileSync(record, 'utf8')) as SharedServers;
  return servers.pids.every(isAlive) ? servers : undefined;
}

/** The servers of this run. */
export function sharedServers(): SharedServers {
  const servers = process.env[SERVERS_VARIABLE];
  if (!servers) throw new Error(`${SERVERS_VARIABLE} is not set: run the tests with Jest`);
  return JSON.parse(servers) as SharedServers;
}

function valueOf<Value>(result: PromiseSettledResult<Value>): Value {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
