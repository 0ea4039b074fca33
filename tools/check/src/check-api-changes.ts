/**
 * Compares the committed API with that of another commit: `npm run check:api -- origin/main`.
 * Fails when a caller would break, or when a route, an outbound host or a kind of credential
 * changed of which no new line of `docs/changelog.md` speaks.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goTool } from '@soma/testing';
import { changesBetween, type Surface, surfaceOf, unmentioned } from './api-changes.ts';
import { workspace } from './paths.ts';
import { runCommand } from './run-command.ts';

const OPENAPI = 'apps/gateway/openapi.json';
const SETTINGS = 'infra/helm/soma/settings';
const CHANGELOG = 'docs/changelog.md';

type Read = (path: string) => Promise<string>;

const base = process.argv[2] ?? 'origin/main';
const readBase: Read = (path) => runCommand('git', ['show', `${base}:${path}`]);
const readHead: Read = (path) => readFile(join(workspace, path), 'utf8');

async function baseSettings(): Promise<string[]> {
  const tree = await runCommand('git', ['ls-tree', '--name-only', base, `${SETTINGS}/`]);
  return tree.split('\n').filter((path) => path !== '');
}

async function surface(read: Read, settings: string[]): Promise<Surface> {
  const files = await Promise.all(settings.map(read));
  const parsed = files.map((text) => JSON.parse(text) as unknown);
  return surfaceOf(JSON.parse(await read(OPENAPI)), parsed);
}

async function addedLines(): Promise<string[]> {
  const diff = await runCommand('git', ['diff', '--unified=0', base, '--', CHANGELOG]);
  return diff.split('\n').filter((line) => line.startsWith('+') && !line.startsWith('+++'));
}

/** @throws With oasdiff's report when a caller of the base's API could break. */
async function checkCompatible(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'soma-api-'));
  try {
    const before = join(directory, 'openapi.json');
    await writeFile(before, await readBase(OPENAPI));
    const oasdiff = await goTool('oasdiff');
    const report = await runCommand(oasdiff, ['breaking', '--fail-on', 'ERR', before, OPENAPI]);
    process.stdout.write(report);
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function check(): Promise<void> {
  const headSettings = (await readdir(join(workspace, SETTINGS))).map(
    (name) => `${SETTINGS}/${name}`,
  );
  const before = await surface(readBase, await baseSettings());
  const changes = changesBetween(before, await surface(readHead, headSettings));
  const silent = unmentioned(changes, await addedLines());
  if (silent.length > 0) {
    const list = silent.map((name) => `  ${name}`).join('\n');
    throw new Error(`Name each of these in a new line of ${CHANGELOG}:\n${list}`);
  }
  process.stdout.write(`${changes.length} changes, each in ${CHANGELOG}.\n`);
}

if ((await runCommand('git', ['ls-tree', base, OPENAPI])) === '') {
  process.stdout.write(`${base} has no ${OPENAPI}: nothing to compare with.\n`);
} else {
  try {
    await check();
    await checkCompatible();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
