import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stateDirectory } from './paths.ts';

export const stackFile = join(stateDirectory, 'stack.json');

/** One process of the stack. */
interface RunningProcess {
  pid: number | undefined;
  port: number;
}

interface RunningServer extends RunningProcess {
  /** Its name, where it is a container and no process of ours. */
  container?: string;
}

interface RunningService extends RunningProcess {
  app: string;
  url: string;
  log: string;
  /** Its whole configuration, so that `nx serve` can run in its place. */
  env: Record<string, string>;
}

/** What scripts may know about the stack that is up: `.soma/stack.json`. */
export interface StackState {
  pid: number;
  tenant: string;
  token: string;
  token_expires_at: string;
  /** URL of the superuser; migrations use it. */
  database_url: string;
  redis_url: string;
  kafka_brokers: string;
  /** Those that the stack started; those that were given by the environment are not ours to list. */
  servers: Record<string, RunningServer>;
  services: Record<string, RunningService>;
}

/** The stack that is up, or `undefined`. */
export async function readStack(): Promise<StackState | undefined> {
  if (!existsSync(stackFile)) return undefined;
  // We wrote the file ourselves, in one piece.
  const state = JSON.parse(await readFile(stackFile, 'utf8')) as StackState;
  return isAlive(state.pid) ? state : undefined;
}

/** The stack that is up; an error that says how to start one otherwise. */
export async function requireStack(): Promise<StackState> {
  const stack = await readStack();
  if (!stack) throw new Error('No stack is up in this checkout. Start one with "npm start".');
  return stack;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
