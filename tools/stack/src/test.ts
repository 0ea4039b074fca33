/** `npm test`: every project's tests on one set of servers, and one line that counts them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SERVERS_VARIABLE, startSharedServers } from '@soma/testing';
import { build } from './build.ts';
import { workspace } from './paths.ts';

/** What Jest's `--json` says; only what is used here. */
interface JestReport {
  numPassedTests: number;
  numFailedTests: number;
  numRuntimeErrorTestSuites: number;
  testResults: { assertionResults: { fullName: string; status: string }[] }[];
}

const REPORT = '.soma/test-report.json';
const NODE_OPTIONS = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  '--disable-warning=TimeoutNegativeWarning',
];

process.chdir(workspace);
process.exitCode = await runTests().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.stdout.write('0 passed, 1 failed\n');
  return 1;
});

async function runTests(): Promise<number> {
  // A report of an earlier run does not count.
  await rm(REPORT, { force: true });
  await mkdir(dirname(REPORT), { recursive: true });
  // Tests that kill services run them as they are deployed: compiled.
  const building = build();
  // Its fault is thrown below, unless the servers' comes first.
  building.catch(() => undefined);
  await using servers = await startSharedServers();
  await building;
  const code = await runJest({ [SERVERS_VARIABLE]: JSON.stringify(servers) });
  const report = JSON.parse(await readFile(REPORT, 'utf8')) as JestReport;
  for (const name of skipped(report)) process.stdout.write(`skipped: ${name}\n`);
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  // What ended badly without a test that failed did not pass.
  const total = failed === 0 && code !== 0 ? 1 : failed;
  process.stdout.write(`${report.numPassedTests} passed, ${total} failed\n`);
  return total === 0 ? 0 : 1;
}

/** What is chosen is for instance `--selectProjects gateway kernel`. */
async function runJest(environment: Record<string, string>): Promise<number> {
  const runner = ['node_modules/jest/bin/jest.js', '--config', 'jest.workspace.js'];
  const choice = ['--json', `--outputFile=${REPORT}`, ...process.argv.slice(2)];
  const child = spawn(process.execPath, [...runner, ...choice], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      ...environment,
      NODE_OPTIONS: NODE_OPTIONS.join(' '),
    },
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

function skipped({ testResults }: JestReport): string[] {
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  return tests.filter(({ status }) => status === 'pending').map(({ fullName }) => fullName);
}
