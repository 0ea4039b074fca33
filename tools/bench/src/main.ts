import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { accept } from './accept.bench.ts';
import { authorisation } from './authorisation.bench.ts';
import { authentication } from './authentication.bench.ts';
import { connections } from './connections.bench.ts';
import { fanOut } from './fan-out.bench.ts';
import { type Report, tableOf } from './figure.ts';
import { firstToken } from './first-token.bench.ts';
import { idleStreams } from './idle-streams.bench.ts';
import { pageOf } from './page.ts';
import { workspace } from './paths.ts';
import { refresh } from './refresh.bench.ts';
import { relay } from './relay.bench.ts';
import { secrets } from './secrets.bench.ts';

const benches = new Map<string, () => Promise<Report>>([
  ['accept', accept],
  ['authentication', authentication],
  ['first-token', firstToken],
  ['fan-out', fanOut],
  ['idle-streams', idleStreams],
  ['relay', relay],
  ['authorisation', authorisation],
  ['secrets', secrets],
  ['refresh', refresh],
  ['connections', connections],
]);

const [only] = process.argv.slice(2);
const chosen = only === undefined ? [...benches.keys()] : [only];
const reports: Report[] = [];
for (const name of chosen) {
  const run = benches.get(name);
  if (!run) throw new Error(`There is no "${name}". Choose of: ${[...benches.keys()].join(', ')}.`);
  process.stdout.write(`${name}…\n`);
  const report = await run();
  process.stdout.write(`${tableOf(report.figures)}\n`);
  reports.push(report);
}
const page = pageOf(reports);
process.stdout.write(`\n${page}`);
// The page in the docs is always one whole run.
if (only === undefined) {
  const filepath = join(workspace, 'docs/benchmarks.md');
  await writeFile(filepath, await format(page, { ...(await resolveConfig(filepath)), filepath }));
}
