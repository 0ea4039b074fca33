import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory } from './cache-directory.ts';
import { expectOk } from './http-probe.ts';
import { housingOf, type ServerHandle, ServerProcess, startServer } from './server-process.ts';

const MOTO = '5.2.5';
const folder = join(cacheDirectory, `moto-${MOTO}`);

/** Moto, which answers as the services of AWS do. Disposing of it ends it. */
export interface MotoServer extends ServerHandle {
  /** As `AWS_ENDPOINT_URL` takes it. */
  url: string;
}

/** Whether {@link startMoto} can start it. */
export function isMotoInstalled(): boolean {
  return existsSync(folder);
}

/**
 * Installs Moto once a machine, from the index of Python packages; without Python it says so.
 *
 * Many processes may do so at once: each installs into a folder of its own and renames it when it is
 * complete. A program of such a folder names the folder, so that only its Python is used.
 */
export async function installMoto(): Promise<void> {
  if (isMotoInstalled()) return;
  await mkdir(cacheDirectory, { recursive: true });
  const partial = await mkdtemp(`${folder}.`);
  try {
    await promisify(execFile)('python3', ['-m', 'venv', partial]);
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    const packages = [`moto==${MOTO}`, 'flask', 'flask-cors'];
    await promisify(execFile)(pythonIn(partial), [...install, ...packages]);
    // Fails when another process was first: then its folder serves.
    await rename(partial, folder).catch(() => undefined);
  } catch (error) {
    process.stderr.write(
      `\n*** MOTO IS MISSING: every test that needs AWS is SKIPPED. Install Python 3 with venv and pip. ${String(error)}\n\n`,
    );
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Starts Moto, empty, in about two seconds. */
export async function startMoto(): Promise<MotoServer> {
  const housing = await housingOf('moto', {});
  const { directory, port } = housing;
  const url = `http://127.0.0.1:${port}`;
  const server = new ServerProcess({
    name: 'Moto',
    command: pythonIn(folder),
    args: ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
    logFile: join(directory, 'server.log'),
    stopSignal: 'SIGTERM',
    probe: () => expectOk(`${url}/moto-api/`),
  });
  return Object.assign(await startServer(server, housing), { url });
}

function pythonIn(environment: string): string {
  return join(environment, 'bin', 'python');
}
