import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { logsDirectory } from '../paths.ts';

/** Follows the log of one service, or of all, until Ctrl-C. */
export async function logs([service]: string[]): Promise<void> {
  const known = existsSync(logsDirectory) ? await readdir(logsDirectory) : [];
  const files = service ? [`${service}.log`] : known;
  const missing = files.filter((file) => !known.includes(file));
  if (files.length === 0 || missing.length > 0) {
    throw new Error(`There is no such log. Known: ${known.join(', ') || 'none yet'}.`);
  }
  const paths = files.map((file) => join(logsDirectory, file));
  await once(spawn('tail', ['-n', '50', '-F', ...paths], { stdio: 'inherit' }), 'exit');
}
