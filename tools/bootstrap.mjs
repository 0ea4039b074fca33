/**
 * Makes a fresh clone ready for every other script: installs what the lockfile names where that has
 * not been done. It runs on the Node that the machine has; the scripts after it run on Node 24,
 * which is one of the packages.
 */
import { spawnSync } from 'node:child_process';
import { statSync, utimesSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';

const workspace = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..');
const changedAt = (file) =>
  statSync(resolve(workspace, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (changedAt('node_modules/.package-lock.json') < changedAt('package-lock.json')) {
  process.stdout.write('Installing packages (about half a minute, once)…\n');
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: workspace,
    stdio: 'inherit',
  });
  if (status !== 0) {
    process.stderr.write('npm install failed: nothing was started.\n');
    process.exit(status ?? 1);
  }
  // npm leaves its record alone when nothing was missing.
  utimesSync(resolve(workspace, 'node_modules/.package-lock.json'), new Date(), new Date());
}
