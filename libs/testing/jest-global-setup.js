import { readdirSync } from 'node:fs';
import process from 'node:process';
import { runningServers, SERVERS_VARIABLE, startSharedServers } from './src/shared-servers.ts';

const workspace = `${import.meta.dirname}/../..`;

/**
 * Gives every test run its servers: those of the whole run (`npm test`), else those that somebody keeps
 * up for this checkout, else new ones that end with the run.
 */
export default async function globalSetup(_global, { rootDir }) {
  if (process.env[SERVERS_VARIABLE] || !hasIntegrationTests(rootDir)) return;
  let servers = runningServers(workspace);
  if (!servers) {
    servers = await startSharedServers();
    globalThis[Symbol.for('soma.test-servers')] = servers;
  }
  process.env[SERVERS_VARIABLE] = JSON.stringify(servers);
}

function hasIntegrationTests(rootDir) {
  const files = readdirSync(`${rootDir}/src`, { recursive: true });
  return files.some((file) => file.endsWith('.int-spec.ts'));
}
