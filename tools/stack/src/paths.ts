import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';

export const workspace = resolve(import.meta.dirname, '../../..');

/**
 * Everything that the stack keeps: data, logs, secrets. Git ignores it. A checkout has one stack for
 * each such folder.
 */
export const stateDirectory = resolve(workspace, process.env['SOMA_DIRECTORY'] ?? '.soma');

export const logsDirectory = join(stateDirectory, 'logs');

/**
 * Where a running stack takes requests. Relative, because the address of a Unix socket may have only
 * about a hundred bytes: the process works in the workspace's folder.
 */
export const controlSocket = relative(workspace, join(stateDirectory, 'control.sock'));

/** Replaces a file in one step, readable by its owner alone. */
export async function writePrivately(file: string, content: unknown): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
