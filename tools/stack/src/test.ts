/** `npm test`: every project's tests on one set of servers, and one line that counts them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { SERVERS_VARIABLE, startSharedServers } from '@soma/testing';
import { build } from './build.ts';
import { workspace } from './paths.ts';

/** What Jest's `--json` says of one project; only what is used here. */
interface JestReport {
  numPassedTests: number;
  numFailedTests: number;
  numRuntimeErrorTestSuites: number;
  testResults: { assertionResults: { fullName: string; status: string }[] }[];
}

const PROJECTS = '{apps,libs,infra,tools}/*';
const REPORT = 'test-report.json';
const LONGEST = '@soma/system-tests';

process.chdir(workspace);
process.exitCode = await runTests().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.stdout.write('0 passed, 1 failed\n');
  return 1;
});

async function runTests(): Promise<number> {
  await clearReports();
  // Tests that kill services run them as they are deployed: compiled.
  const building = build();
  // Its fault is thrown below, unless the servers' comes first.
  building.catch(() => undefined);
  await using servers = await startSharedServers();
  await building;
  const code = await runProjects({ [SERVERS_VARIABLE]: JSON.stringify(servers) });
  const reports = await Promise.all(reportFiles().map(readReport));
  for (const name of reports.flatMap(skipped)) process.stdout.write(`skipped: ${name}\n`);
  const passed = sum(reports.map((report) => report.numPassedTests));
  const failed = sum(
    reports.map((report) => report.numFailedTests + report.numRuntimeErrorTestSuites),
  );
  // A project whose tests never ran has no report, yet it did not pass.
  const total = failed === 0 && code !== 0 ? 1 : failed;
  process.stdout.write(`${passed} passed, ${total} failed\n`);
  return total === 0 ? 0 : 1;
}

/** Nx begins with what most depends on, which leaves the longest for the end: it goes beside the others. */
async function runProjects(environment: Record<string, string>): Promise<number> {
  // Such as `--projects gateway,kernel`.
  const choice = process.argv.slice(2);
  const runs =
    choice.length > 0
      ? [choice]
      : [
          ['--projects', LONGEST],
          ['--exclude', LONGEST],
        ];
  const codes = await Promise.all(runs.map((flags) => runNx(flags, environment)));
  return codes.find((code) => code !== 0) ?? 0;
}

/** Each project writes its report beside its sources; the results of an earlier run do not count. */
async function runNx(choice: string[], environment: Record<string, string>): Promise<number> {
  const runner = ['node_modules/nx/dist/bin/nx.js', 'run-many', '-t', 'test', '--parallel', '3'];
  const jest = ['--json', `--outputFile=dist/${REPORT}`];
  // What tests depend on has just been built.
  const flags = ['--skip-nx-cache', '--excludeTaskDependencies'];
  const args = [...runner, ...flags, ...choice, '--', ...jest];
  const child = spawn(process.execPath, args, {
    stdio: 'inherit',
    env: {
      ...process.env,
      ...{ NX_TUI: 'false', NX_DAEMON: 'false' },
      // The tests start a hundred processes, which are the same few programs.
      NODE_COMPILE_CACHE: resolve('.soma/compile-cache'),
      ...environment,
    },
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

async function clearReports(): Promise<void> {
  await Promise.all(reportFiles().map((file) => rm(file)));
  // Jest does not make the folder of its report.
  const projects = globSync(`${PROJECTS}/jest.config.js`).map(dirname);
  await Promise.all(projects.map((project) => mkdir(`${project}/dist`, { recursive: true })));
}

function reportFiles(): string[] {
  return globSync(`${PROJECTS}/dist/${REPORT}`);
}

async function readReport(file: string): Promise<JestReport> {
  return JSON.parse(await readFile(file, 'utf8')) as JestReport;
}

function skipped({ testResults }: JestReport): string[] {
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  return tests.filter(({ status }) => status === 'pending').map(({ fullName }) => fullName);
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
