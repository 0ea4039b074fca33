import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stateDirectory, workspace, writePrivately } from './paths.ts';

/** The three servers in containers, as `infra/compose/compose.yaml` publishes them. */
export const composed = {
  postgres: { port: 5432, container: 'soma-postgres-1' },
  redis: { port: 6379, container: 'soma-redis-1' },
  kafka: { port: 9092, container: 'soma-kafka-1' },
};
export type ComposedServer = keyof typeof composed;

/** Says that this checkout has containers, also when no stack is up: their volumes keep its data. */
const record = join(stateDirectory, 'containers.json');

export function engineRuns(): Promise<boolean> {
  return promisify(execFile)('docker', ['info']).then(
    () => true,
    () => false,
  );
}

/** Resolves when they are healthy. */
export async function startContainers(names: readonly ComposedServer[]): Promise<void> {
  await writePrivately(record, names);
  await compose('up', '--detach', '--wait', ...names);
}

/** Their data stays. */
export async function stopContainers(names: readonly ComposedServer[]): Promise<void> {
  await compose('stop', ...names);
}

/** Removes the containers of this checkout, if it has any, and their data. */
export async function removeContainers(): Promise<void> {
  if (!existsSync(record)) return;
  // Of every profile: volumes that are in use cannot be removed.
  await compose('--profile', 'full', 'down', '--volumes');
  await rm(record);
}

/** The command that follows what a container prints. */
export function followContainer(name: ComposedServer): [string, string[]] {
  return ['docker', [...COMPOSE, 'logs', '--follow', '--tail', '50', name]];
}

export function isComposed(name: string): name is ComposedServer {
  return name in composed && existsSync(record);
}

const COMPOSE = ['compose', '--file', join(workspace, 'infra/compose/compose.yaml')];

async function compose(...args: string[]): Promise<void> {
  await promisify(execFile)('docker', [...COMPOSE, ...args]);
}
