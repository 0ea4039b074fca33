import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { workspace } from './paths.ts';

const run = promisify(execFile);

/** Compiles every app, and what the apps and the migrations import. */
export async function build(): Promise<void> {
  const apps = await readdir(join(workspace, 'apps'));
  const projects = apps.map((app) => `apps/${app}/tsconfig.app.json`);
  await runNode([
    'node_modules/typescript/bin/tsc',
    '-b',
    'infra/db/tsconfig.lib.json',
    ...projects,
  ]);
}

/** Runs a script of ours; when it fails, what it printed is the error. */
export async function runNode(args: string[], env: Record<string, string> = {}): Promise<void> {
  try {
    await run(process.execPath, args, { cwd: workspace, env: { ...process.env, ...env } });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}
