import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { goTool } from './go-tools.ts';
import { expectOk } from './http-probe.ts';
import { housingOf, type ServerHandle, ServerProcess, startServer } from './server-process.ts';

export interface OpenFgaOptions {
  /** Keeps stores and tuples in this database, which belongs to OpenFGA alone. Default: in memory. */
  postgresUrl?: string;
  /** The key that every caller must send as a bearer token. Default: none is asked for. */
  apiToken?: string;
  /** Where its log is kept. Without it the log is thrown away. */
  directory?: string;
  /** Default: one that is free. */
  port?: number;
}

/** A real OpenFGA. Disposing of it ends it. */
export interface OpenFgaServer extends ServerHandle {
  /** As `OPENFGA_API_URL` takes it. */
  url: string;
}

/** Starts OpenFGA in about a quarter of a second; the first time it is built, which takes minutes. */
export async function startOpenFga(options: OpenFgaOptions = {}): Promise<OpenFgaServer> {
  const command = await goTool('openfga');
  const housing = await housingOf('openfga', options);
  const { directory, port } = housing;
  const url = `http://127.0.0.1:${port}`;
  const env = await environment(port, options);
  if (options.postgresUrl) {
    await promisify(execFile)(command, ['migrate'], { env: { ...process.env, ...env } });
  }
  const server = new ServerProcess({
    name: 'OpenFGA',
    command,
    args: ['run'],
    env,
    logFile: join(directory, 'server.log'),
    stopSignal: 'SIGTERM',
    probe: () => expectOk(`${url}/healthz`),
  });
  const handle = await startServer(server, housing);
  return Object.assign(handle, { url });
}

/** By the environment, because arguments stand in the list of processes and two of these are secrets. */
async function environment(port: number, options: OpenFgaOptions): Promise<Record<string, string>> {
  return {
    OPENFGA_HTTP_ADDR: `127.0.0.1:${port}`,
    OPENFGA_GRPC_ADDR: `127.0.0.1:${await freePort()}`,
    OPENFGA_PLAYGROUND_ENABLED: 'false',
    OPENFGA_METRICS_ENABLED: 'false',
    OPENFGA_LOG_LEVEL: 'warn',
    ...(options.postgresUrl
      ? { OPENFGA_DATASTORE_ENGINE: 'postgres', OPENFGA_DATASTORE_URI: options.postgresUrl }
      : { OPENFGA_DATASTORE_ENGINE: 'memory' }),
    ...(options.apiToken && {
      OPENFGA_AUTHN_METHOD: 'preshared',
      OPENFGA_AUTHN_PRESHARED_KEYS: options.apiToken,
    }),
  };
}
