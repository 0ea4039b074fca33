import { join } from 'node:path';
import { goTool } from './go-tools.ts';
import { expectOk } from './http-probe.ts';
import { housingOf, type ServerHandle, ServerProcess, startServer } from './server-process.ts';

export interface OpaOptions {
  /** A folder of policies, whose tests are left out, or a bundle (`.tar.gz`). */
  policy?: string;
  /** Its configuration file, for one that fetches its bundle by itself. */
  configurationFile?: string;
  /** Where its log is kept. Without it the log is thrown away. */
  directory?: string;
  /** Default: one that is free. */
  port?: number;
}

/** A real Open Policy Agent. Disposing of it ends it. */
export interface OpaServer extends ServerHandle {
  /** As `OPA_URL` takes it. */
  url: string;
}

/** Starts Open Policy Agent in about a quarter of a second; the first time it is built. */
export async function startOpa(options: OpaOptions = {}): Promise<OpaServer> {
  const command = await goTool('opa');
  const housing = await housingOf('opa', options);
  const { directory, port } = housing;
  const url = `http://127.0.0.1:${port}`;
  const server = new ServerProcess({
    name: 'OPA',
    command,
    // As in a cluster; the chart says why.
    env: { GOGC: '400', GOMEMLIMIT: '200MiB' },
    args: [
      ...['run', '--server', '--addr', `127.0.0.1:${port}`],
      ...['--log-level', 'error', '--skip-version-check'],
      ...(options.configurationFile ? ['--config-file', options.configurationFile] : []),
      ...(options.policy ? ['--ignore', '*_test.rego', '--bundle', options.policy] : []),
    ],
    logFile: join(directory, 'server.log'),
    stopSignal: 'SIGTERM',
    probe: () => expectOk(`${url}/health`),
  });
  const handle = await startServer(server, housing);
  return Object.assign(handle, { url });
}
