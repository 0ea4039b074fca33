import { globSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeContainers } from '../containers.ts';
import { stateDirectory } from '../paths.ts';
import { readStack } from '../stack-file.ts';
import { down } from './down.ts';

/** Ends the stack and deletes its data, logs and secrets: the next start is a first one. */
export async function reset(): Promise<void> {
  if (await readStack()) await down();
  await removeContainers();
  const kept = [
    ...['postgres', 'redis', 'kafka', 'opa', 'openfga', 'storage', 'policy'],
    ...['logs', 'secrets.json', 'identity-clients.json'],
    // What services had not told the audit log yet.
    ...globSync('audit-*', { cwd: stateDirectory }),
  ];
  await Promise.all(
    kept.map((name) => rm(join(stateDirectory, name), { recursive: true, force: true })),
  );
  process.stdout.write('Data, logs and secrets of the stack are deleted.\n');
}
