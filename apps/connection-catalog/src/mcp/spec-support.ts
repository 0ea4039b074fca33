import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheDirectory } from '@soma/testing';

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL('../../../../infra/mcp-servers', import.meta.url));

/**
 * Installs the servers of the catalog as whoever runs them does, once a machine.
 *
 * Several processes may do so at once: each installs into a folder of its own and renames it when it
 * is complete.
 */
export async function installServers(): Promise<string> {
  const lock = await readFile(join(SOURCE, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex').slice(0, 16);
  const folder = join(cacheDirectory, `mcp-servers-${hash}`);
  if (!existsSync(folder)) {
    await mkdir(cacheDirectory, { recursive: true });
    const partial = await mkdtemp(`${folder}.`);
    await cp(SOURCE, partial, { recursive: true });
    await cleanInstall(partial);
    await rename(partial, folder).catch(() => rm(partial, { recursive: true, force: true }));
  }
  return folder;
}

/** The very command that `docs/connections.md` names. */
export async function cleanInstall(folder: string): Promise<void> {
  const options = ['--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund'];
  await run('npm', ['ci', ...options], { cwd: folder });
}
