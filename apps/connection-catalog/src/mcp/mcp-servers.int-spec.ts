import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { type McpConnections, mcpLaunch } from '@soma/connections';
import { Secret } from '@soma/kernel';
import { createTestDatabase, type TestDatabase } from '@soma/testing';
import { catalogEntries, findEntry } from './catalog-entries.ts';
import { toServer } from './effective-servers.ts';
import { cleanInstall, installServers } from './spec-support.ts';

const CANARY = 'canary-of-a-credential';
/** The first run on a machine downloads the packages. */
const INSTALL_MS = 300_000;
const STARTED_MS = 60_000;

const processes = catalogEntries.filter(({ transport }) => transport.type === 'stdio');

interface StartedServer extends AsyncDisposable {
  client: Client;
  pid: number;
}

describe('the MCP servers of the catalog', () => {
  const running = new AsyncDisposableStack();
  let packages: string;
  let workspace: string;
  let database: TestDatabase;
  const started = new Map<string, Promise<StartedServer>>();

  beforeAll(async () => {
    process.env['SOMA_MASTER_KEY_OF_TEST'] = CANARY;
    running.defer(() => {
      delete process.env['SOMA_MASTER_KEY_OF_TEST'];
    });
    packages = await installServers();
    workspace = await mkdtemp(join(tmpdir(), 'soma-mcp-'));
    running.defer(() => rm(workspace, { recursive: true, force: true }));
    database = running.use(await createTestDatabase());
  }, INSTALL_MS);

  afterAll(() => running.disposeAsync());

  /** What connections of each type hold here. */
  function fieldsOf(entryId: string): Record<string, Secret | string | number | boolean> {
    if (entryId !== 'postgresql') {
      return { api_key: new Secret(CANARY), database: 'books.db' };
    }
    const { hostname, port, username, password, pathname } = new URL(database.ownerUrl);
    return {
      ...{ host: hostname, port: Number(port), database: pathname.slice(1), tls: false },
      ...{ username: decodeURIComponent(username), password: new Secret(password) },
    };
  }

  /** The server of an entry, which is started once for all tests. */
  function serverOf(entryId: string): Promise<StartedServer> {
    const server = started.get(entryId) ?? start(entryId).then((each) => running.use(each));
    started.set(entryId, server);
    return server;
  }

  async function start(entryId: string, fields = fieldsOf(entryId)): Promise<StartedServer> {
    const entry = findEntry(entryId);
    const [type] = entry.connections;
    const server = toServer(entry, type === undefined ? null : { name: 'mine', type: type.type });
    const connections: McpConnections = new Map([['mine', fields]]);
    const launch = mcpLaunch(server, connections, { packages, workspace });
    if (launch.type !== 'process') throw new Error(`${entryId} is remote.`);
    const env = Object.fromEntries(
      Object.entries(launch.env).map(([name, value]) => [name, value.reveal()]),
    );
    const { command, args } = launch;
    const transport = new StdioClientTransport({
      command,
      args,
      env,
      cwd: packages,
      stderr: 'ignore',
    });
    const client = new Client({ name: 'catalog-tests', version: '1.0.0' });
    await client.connect(transport, { timeout: STARTED_MS });
    return {
      client,
      pid: transport.pid ?? 0,
      [Symbol.asyncDispose]: () => client.close(),
    };
  }

  async function readProcess(pid: number, file: 'cmdline' | 'environ'): Promise<string> {
    return readFile(`/proc/${pid}/${file}`, 'utf8');
  }

  it.each(processes)(
    '$entry_id offers what its entry declares',
    async ({ entry_id, tools }) => {
      const server = await serverOf(entry_id);

      const offered = await server.client.listTools();

      expect(offered.tools.map(({ name }) => name).sort()).toEqual([...tools].sort());
    },
    STARTED_MS,
  );

  const itOnLinux = process.platform === 'linux' ? it : it.skip;

  itOnLinux(
    'keeps a credential out of what `ps` shows of the server (P8)',
    async () => {
      const server = await serverOf('brave-search');

      // The server has it, so that the other look proves something.
      expect(await readProcess(server.pid, 'environ')).toContain(`BRAVE_API_KEY=${CANARY}`);
      expect(await readProcess(server.pid, 'cmdline')).toContain('brave-search-mcp-server');
      expect(await readProcess(server.pid, 'cmdline')).not.toContain('canary');
    },
    STARTED_MS,
  );

  itOnLinux(
    'gives a server nothing of the environment of who starts it (P8)',
    async () => {
      const server = await serverOf('memory');

      const environment = await readProcess(server.pid, 'environ');

      expect(environment).toContain(`HOME=${workspace}`);
      expect(environment).not.toContain('canary');
    },
    STARTED_MS,
  );

  it.each([
    ['postgresql', 'CREATE TABLE book (title text)'],
    ['sqlite', 'CREATE TABLE book (title text)'],
  ])(
    'runs SQL on %s through a connection',
    async (entryId, sql) => {
      const server = await serverOf(entryId);

      const made = await server.client.callTool({ name: 'execute_sql', arguments: { sql } });
      const found = await server.client.callTool({
        name: 'search_objects',
        arguments: { object_type: 'table', pattern: 'book' },
      });

      expect(JSON.stringify(made)).not.toContain('"success": false');
      expect(JSON.stringify(found)).toContain('book');
    },
    STARTED_MS,
  );

  it(
    'reaches PostgreSQL by TLS alone unless the connection says otherwise',
    async () => {
      const query = async (): Promise<unknown> => {
        await using server = await start('postgresql', { ...fieldsOf('postgresql'), tls: true });
        const arguments_ = { sql: 'SELECT 1' };
        const answer = await server.client.callTool({ name: 'execute_sql', arguments: arguments_ });
        if (answer.isError === true) throw new Error(JSON.stringify(answer));
        return answer;
      };

      // The server of this test has no certificate.
      await expect(query()).rejects.toThrow();
    },
    STARTED_MS,
  );

  it(
    'does not install a package that differs from what the lock says',
    async () => {
      const folder = join(workspace, 'changed');
      const name = 'chrome-devtools-mcp';
      const lock = JSON.parse(await readFile(join(packages, 'package-lock.json'), 'utf8')) as {
        packages: Record<string, { version: string; integrity: string }>;
      };
      const locked = lock.packages[`node_modules/${name}`];
      const manifest = { name: 'changed', dependencies: { [name]: locked?.version } };
      const other = { ...locked, integrity: `sha512-${'A'.repeat(86)}==` };
      await writeFolder(folder, manifest, {
        ...{ name: 'changed', lockfileVersion: 3 },
        packages: { '': manifest, [`node_modules/${name}`]: other },
      });

      await expect(cleanInstall(folder)).rejects.toThrow('EINTEGRITY');
    },
    STARTED_MS,
  );
});

async function writeFolder(folder: string, manifest: object, lock: object): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(lock));
}
