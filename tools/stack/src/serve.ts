/**
 * `nx serve <app>`: one service in the place of the stack's own copy, at its port and with its
 * configuration, built and started again at each edit. When it ends, the stack's copy returns.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { askStack } from './control.ts';
import { workspace } from './paths.ts';
import { requireStack } from './stack-file.ts';

const TSC = 'node_modules/typescript/bin/tsc';

process.chdir(workspace);
try {
  await serve(process.argv.slice(2));
  process.exit();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

/** `--inspect` and its like go to the service's process. */
async function serve([app = '', ...nodeOptions]: string[]): Promise<void> {
  const service = (await requireStack()).services[app];
  if (!service) throw new Error(`The stack has no service "${app}".`);

  const project = `apps/${app}/tsconfig.app.json`;
  const [code] = (await once(node([TSC, '-b', project]), 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${app} does not compile.`);

  const loan = await askStack(`release ${app}`);
  const builder = node([TSC, '-b', project, '--watch', '--preserveWatchOutput']);
  const options = ['--watch', '--watch-preserve-output', '--enable-source-maps', ...nodeOptions];
  const running = node([...options, `apps/${app}/dist/main.js`], service.env);
  const children = [builder, running];
  process.stdout.write(`${app} is served on ${service.url} until Ctrl-C.\n`);
  await Promise.race([stopRequested(), once(loan, 'close'), ...children.map(ended)]);
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(children.map(ended));
  loan.destroy();
}

function node(args: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, ...env },
    // Ctrl-C reaches only this process, which ends the others in order.
    detached: true,
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

function stopRequested(): Promise<unknown> {
  return Promise.race(['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => once(process, signal)));
}
