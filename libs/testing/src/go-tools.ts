import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cacheDirectory } from './cache-directory.ts';

/** Programs that are built from source, once a machine, where they are not installed. */
const GO_TOOLS = {
  helm: 'helm.sh/helm/v4/cmd/helm@v4.3.1',
  kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0',
  // From 1.34 on it needs a module that the Go proxy does not serve.
  oasdiff: 'github.com/oasdiff/oasdiff@v1.33.0',
  opa: 'github.com/open-policy-agent/opa@v1.22.0',
  openfga: 'github.com/openfga/openfga/cmd/openfga@v1.22.1',
  versitygw: 'github.com/versity/versitygw/cmd/versitygw@v1.8.0',
};

/** The name of one of them. */
export type GoTool = keyof typeof GO_TOOLS;

/** Servers among them, which tests need. */
const GO_SERVERS: GoTool[] = ['opa', 'openfga', 'versitygw'];

const LONGEST_BUILD_MS = 30 * 60_000;

const directory = join(cacheDirectory, 'go-bin');

/**
 * Where a tool is, in the cache or on the `PATH`.
 *
 * The cache goes first: it holds the version that is named here.
 */
export function installedTool(name: GoTool): string | undefined {
  const cached = join(directory, fileOf(name));
  return existsSync(cached) ? cached : onPath(name);
}

/**
 * Where a tool is. One that is not installed is built into the cache, in some minutes.
 *
 * Many processes may ask at once: one builds, the others wait for it.
 */
export async function goTool(name: GoTool): Promise<string> {
  for (;;) {
    const installed = installedTool(name);
    if (installed !== undefined) return installed;
    if (onPath('go') === undefined) {
      throw new Error(`${name} is not installed. Install it, or Go, and it is built from source.`);
    }
    await alone(name, () => build(name));
  }
}

/**
 * Builds the servers that tests need, one after the other: two builds at once are no faster.
 *
 * Without Go it says what is missing; the tests of those servers are then skipped by name.
 */
export async function buildGoServers(): Promise<void> {
  for (const name of GO_SERVERS) {
    try {
      await goTool(name);
    } catch (error) {
      process.stderr.write(
        `\n*** ${name} IS MISSING: every test that needs it is SKIPPED. ${String(error)}\n\n`,
      );
    }
  }
}

async function build(name: GoTool): Promise<void> {
  const started = performance.now();
  process.stderr.write(`Building ${name} from source, once on this machine: some minutes …\n`);
  const partial = await mkdtemp(join(directory, `.${name}-`));
  try {
    // Without cgo no C compiler is needed.
    const env = { ...process.env, GOBIN: partial, CGO_ENABLED: '0' };
    await promisify(execFile)('go', ['install', GO_TOOLS[name]], { env, maxBuffer: 1 << 26 });
    // The version is part of the name, so that another version is built and not mistaken for it.
    await rename(join(partial, programOf(name)), join(directory, fileOf(name)));
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  const seconds = ((performance.now() - started) / 1_000).toFixed(0);
  process.stderr.write(`${name} is built (${seconds} s).\n`);
}

/**
 * Acts while no other process does, or waits until the other one is done and does not act.
 *
 * The lock is a file with the holder's process id; that of a dead one is void, and one so old that the id
 * may have become another process's. Two that find the same void lock may both act: they build the same
 * file twice, and the rename makes each complete.
 */
async function alone(name: GoTool, act: () => Promise<void>): Promise<void> {
  await mkdir(directory, { recursive: true });
  const lock = join(directory, `.${name}.lock`);
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await waitFor(lock);
    return;
  }
  try {
    await act();
  } finally {
    await rm(lock, { force: true });
  }
}

async function waitFor(lock: string): Promise<void> {
  while (existsSync(lock)) {
    if (isVoid(lock)) await rm(lock, { force: true });
    await delay(200);
  }
}

function isVoid(lock: string): boolean {
  try {
    const holder = Number(readFileSync(lock, 'utf8'));
    const ageMs = Date.now() - statSync(lock).mtimeMs;
    // For a moment after it was made, the file holds no id yet.
    return ageMs > LONGEST_BUILD_MS || (holder !== 0 && !isAlive(holder));
  } catch {
    // It was taken away meanwhile.
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function fileOf(name: GoTool): string {
  return `${name}-${GO_TOOLS[name].split('@')[1] ?? ''}`;
}

/** What `go install` calls it: the last part of the package's path. */
function programOf(name: GoTool): string {
  return GO_TOOLS[name].split('@')[0]?.split('/').at(-1) ?? name;
}

/** Where a program is that this machine has. */
export function onPath(name: string): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return directories.map((each) => join(each, name)).find((path) => existsSync(path));
}
