import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ServiceTokens } from '@soma/auth';
import {
  type AuditEvent,
  mcpCatalog,
  mcpInstallation,
  type McpServer,
  mcpServerList,
  type Principal,
} from '@soma/contracts';
import { internalFetch } from '@soma/http';
import { Secret } from '@soma/kernel';
import { ConfigUpdatesReader } from '@soma/messaging';
import { until } from '@soma/testing';
import {
  type CatalogServers,
  createCatalogServers,
  startCatalog,
  type TestAnswer,
  type TestCatalog,
  listenToAudit,
} from '../spec-support.ts';

const CATALOG = '/api/v1/integrations/mcp/catalog';
const CONNECTIONS = '/api/v1/connections';
const CANARY = 'canary-of-a-token';

const OPERATOR_FILE = `
servers:
  - name: wiki
    transport: { type: streamable_http, url: https://wiki.example/mcp, headers: {} }
    references: []
    tools: null
  - name: memory
    transport: { type: command, command: /opt/memory, arguments: [], environment: {} }
    references: []
    tools: [recall]
  - name: tickets
    transport: { type: streamable_http, url: https://tickets.example/mcp, headers: {} }
    references: [{ name: Authorization, connection: tickets, field: token, prefix: 'Bearer ' }]
    tools: null
`;

describe('the MCP servers of a tenant', () => {
  const running = new AsyncDisposableStack();
  let servers: CatalogServers;
  let tokens: ServiceTokens;
  let catalog: TestCatalog;
  let other: TestCatalog;
  const told: string[] = [];
  let audited: AuditEvent[];

  beforeAll(async () => {
    servers = await createCatalogServers(running);
    tokens = new ServiceTokens({
      tokenUrl: servers.issuer.tokenUrl,
      clientId: 'tool-executor',
      clientSecret: new Secret('of the executor'),
    });
    const folder = await mkdtemp(join(tmpdir(), 'soma-mcp-'));
    running.defer(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'servers.yaml');
    await writeFile(file, OPERATOR_FILE);
    const settings = { INTEGRATIONS_MCP_CATALOG_SERVERS_FILE: file };
    catalog = running.use(await startCatalog(servers, settings));
    other = running.use(await startCatalog(servers, { INTEGRATIONS_MCP_CATALOG_ENABLED: 'false' }));
    catalog.service.get(ConfigUpdatesReader, { strict: false }).listen(({ entity, id }) => {
      if (entity === 'connection') told.push(id);
    });
    audited = await listenToAudit(servers, running);
  });

  afterAll(() => running.disposeAsync());

  /** A tenant of a test alone, with connections. */
  async function newTenant(): Promise<{ tenant: string }> {
    const as = { tenant: `t-${randomUUID()}` };
    const bodies = [
      { name: 'work', type: 'github', fields: { token: CANARY } },
      { name: 'play', type: 'github', fields: { token: CANARY } },
      { name: 'empty', type: 'github', fields: {} },
      {
        ...{ name: 'enterprise', type: 'github' },
        fields: { token: CANARY, api_url: 'https://github.acme.example/api/v3' },
      },
      {
        ...{ name: 'signed-in', type: 'oauth_app' },
        fields: { client_id: 'c', token_url: 'https://github.com/login/oauth/access_token' },
      },
      {
        ...{ name: 'books', type: 'database' },
        fields: { dialect: 'sqlite', database: 'books.db' },
      },
    ];
    for (const body of bodies) {
      expect((await catalog.send('POST', CONNECTIONS, { as, body })).status).toBe(201);
    }
    return as;
  }

  function install(
    as: { tenant: string },
    catalog_entry_id: string,
    connection_name?: string,
  ): Promise<TestAnswer> {
    const body = { catalog_entry_id, ...(connection_name !== undefined && { connection_name }) };
    return catalog.send('POST', `${CATALOG}/install`, { as, body });
  }

  const installed = async (as: { tenant: string }): Promise<unknown> =>
    (await catalog.send('GET', `${CATALOG}/installed`, { as })).body['installations'];

  /** As another service asks for it. */
  async function effective({ tenant }: { tenant: string }): Promise<McpServer[]> {
    const principal: Principal = { tenant_id: tenant, subject: 'tool-executor', scopes: [] };
    const response = await internalFetch(new URL('/internal/v1/mcp/servers', catalog.url), {
      token: () => tokens.tokenFor('connection-catalog'),
      headers: await tokens.principalHeader('connection-catalog', principal),
    });
    expect(response.status).toBe(200);
    const { tenant_id, servers: effective } = mcpServerList.parse(await response.json());
    expect(tenant_id).toBe(tenant);
    return effective;
  }

  const namesOf = async (as: { tenant: string }): Promise<string[]> =>
    (await effective(as)).map(({ name, source }) => `${name} of ${source}`);

  it('shows the catalog, one entry of it, and what a search finds', async () => {
    const all = await catalog.send('GET', CATALOG);
    const one = await catalog.send('GET', `${CATALOG}/filesystem`);
    const found = await catalog.send('GET', `${CATALOG}/search?q=web+search`);
    const none = await catalog.send('GET', `${CATALOG}/no-such-server`);
    const empty = await catalog.send('GET', `${CATALOG}/search?q=+`);

    expect(mcpCatalog.parse(all.body).entries).toHaveLength(8);
    expect(one).toMatchObject({
      status: 200,
      body: { transport: { package: { integrity: expect.stringMatching(/^sha512-/) } } },
    });
    expect(mcpCatalog.parse(found.body).entries[0]?.entry_id).toBe('brave-search');
    expect(none).toMatchObject({ status: 404, body: { code: 'mcp_entry_not_found' } });
    expect(empty.status).toBe(400);
  });

  it('installs once, however often and at once it is asked (P3)', async () => {
    const as = await newTenant();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => install(as, 'github', 'work')),
    );
    const later = await install(as, 'github', 'work');

    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(201));
    expect(new Set([...answers, later].map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(mcpInstallation.parse(later.body)).toMatchObject({
      ...{ catalog_entry_id: 'github', connection_name: 'work', status: 'ready' },
    });
    expect(await installed(as)).toEqual([later.body]);
  });

  it('counts at once, without a restart, and names no secret (P8)', async () => {
    const as = await newTenant();
    await install(as, 'github', 'work');
    await until(() => told.includes(`${as.tenant}:mcp_servers`));

    const ours = await effective(as);

    expect(ours.find(({ name }) => name === 'github')).toMatchObject({
      ...{ source: 'catalog', transport: { url: 'https://api.githubcopilot.com/mcp/' } },
      references: [{ name: 'Authorization', connection: 'work', field: 'token' }],
    });
    expect(JSON.stringify(ours)).not.toContain(CANARY);
    await catalog.send('DELETE', `${CATALOG}/install/github`, { as });
    expect(await namesOf(as)).not.toContain('github of catalog');
  });

  it('is asked for anew when its connection comes to fit no more, or is gone', async () => {
    const as = await newTenant();
    await install(as, 'github', 'work');
    const isTold = (times: number): Promise<true> =>
      until(() =>
        Promise.resolve(told.filter((id) => id === `${as.tenant}:mcp_servers`).length >= times),
      );
    await isTold(1);

    await catalog.send('PATCH', `${CONNECTIONS}/work`, { as, body: { fields: { token: null } } });
    await isTold(2);
    await catalog.send('DELETE', `${CONNECTIONS}/work?force=true`, { as });
    await isTold(3);
  });

  it('lets the file of the operator go before what is installed', async () => {
    const as = await newTenant();
    await install(as, 'memory');
    await install(as, 'filesystem');

    expect(await namesOf(as)).toEqual([
      ...['wiki of operator', 'memory of operator', 'filesystem of catalog'],
    ]);
    const body = {
      name: 'tickets',
      type: 'generic_http',
      fields: { base_url: 'https://tickets.example' },
    };
    expect(await catalog.send('POST', CONNECTIONS, { as, body })).toMatchObject({ status: 201 });
    expect(await namesOf(as)).toContain('tickets of operator');
  });

  it('removes what is installed, and answers the same where nothing is', async () => {
    const as = await newTenant();
    await install(as, 'github', 'work');
    const remove = (): Promise<TestAnswer> =>
      catalog.send('DELETE', `${CATALOG}/install/github`, { as });

    const answers = [await remove(), await remove()];

    expect(answers.map(({ status }) => status)).toEqual([204, 204]);
    expect(await installed(as)).toEqual([]);
  });

  it.each([
    ['no connection where one is needed', ['github'], '422 connection_required'],
    ['a connection where none is needed', ['memory', 'work'], '422 connection_not_used'],
    ['a connection of another type', ['brave-search', 'work'], '422 connection_unfit'],
    ['a database of another dialect', ['postgresql', 'books'], '422 connection_unfit'],
    ["a token of another GitHub's", ['github', 'enterprise'], '422 connection_unfit'],
    ["tokens of another provider's", ['slack', 'signed-in'], '422 connection_unfit'],
    ['a connection without its token', ['github', 'empty'], '422 connection_unfit'],
    ['a connection that is not there', ['github', 'none'], '404 connection_not_found'],
    ['an entry that is not there', ['none', 'work'], '404 mcp_entry_not_found'],
  ])('refuses %s', async (_case, [entry = '', connection], refusal) => {
    const as = await newTenant();

    const { status, body } = await install(as, entry, connection);

    expect(`${status} ${String(body['code'])}`).toBe(refusal);
    expect(await installed(as)).toEqual([]);
  });

  it('keeps the connection that it uses, unless that is deleted by force', async () => {
    const as = await newTenant();
    await install(as, 'github', 'work');
    const drop = (query = ''): Promise<TestAnswer> =>
      catalog.send('DELETE', `${CONNECTIONS}/work${query}`, { as });

    expect(await drop()).toMatchObject({ status: 409, body: { code: 'connection_in_use' } });
    expect((await drop('?force=true')).status).toBe(204);
    expect(await installed(as)).toMatchObject([
      { catalog_entry_id: 'github', connection_name: null, status: 'connection_missing' },
    ]);
    expect(await namesOf(as)).not.toContain('github of catalog');
    expect(await install(as, 'github', 'play')).toMatchObject({ body: { status: 'ready' } });
  });

  it.each([
    ['that leads elsewhere', 'work', { api_url: 'https://github.acme.example/api/v3', token: 't' }],
    ['whose token is gone', 'work', { token: null }],
    ['of another provider', 'signed-in', { token_url: 'https://slack.com/api/oauth.v2.access' }],
  ])('does not count with a connection %s since it was installed', async (_case, name, fields) => {
    const as = await newTenant();
    expect((await install(as, 'github', name)).body).toMatchObject({ status: 'ready' });
    expect(await namesOf(as)).toContain('github of catalog');

    const changed = await catalog.send('PATCH', `${CONNECTIONS}/${name}`, { as, body: { fields } });

    expect(changed.status).toBe(200);
    expect(await installed(as)).toMatchObject([
      { connection_name: name, status: 'connection_unfit' },
    ]);
    expect(await namesOf(as)).not.toContain('github of catalog');
  });

  it('moves to another connection, and lets go of the first', async () => {
    const as = await newTenant();
    await install(as, 'github', 'work');
    await Promise.all([install(as, 'github', 'play'), install(as, 'github', 'play')]);

    const deleted = await catalog.send('DELETE', `${CONNECTIONS}/work`, { as });
    const kept = await catalog.send('DELETE', `${CONNECTIONS}/play`, { as });

    expect([deleted.status, kept.status]).toEqual([204, 409]);
  });

  it('is another one for each tenant (P6)', async () => {
    const [ours, theirs] = [await newTenant(), await newTenant()];
    await install(ours, 'github', 'work');
    await catalog.send('DELETE', `${CATALOG}/install/github`, { as: theirs });

    expect(await installed(theirs)).toEqual([]);
    expect(await installed(ours)).toHaveLength(1);
    expect(await namesOf(theirs)).not.toContain('github of catalog');
  });

  it('is told to the audit log, once for each change', async () => {
    const as = await newTenant();
    await install(as, 'github', 'work');
    await install(as, 'github', 'work');
    await catalog.send('DELETE', `${CATALOG}/install/github`, { as });
    await catalog.send('DELETE', `${CATALOG}/install/github`, { as });

    const toldOf = (): string[] =>
      audited
        .filter(({ tenant_id, target }) => tenant_id === as.tenant && target.id === 'github')
        .map(({ action }) => action);
    await until(() => toldOf().at(-1) === 'mcp_server.uninstalled');
    expect(toldOf()).toEqual(['mcp_server.installed', 'mcp_server.uninstalled']);
  });

  it('has no routes for partners where the operator turned the catalog off', async () => {
    expect((await other.send('GET', CATALOG)).status).toBe(404);
    expect((await other.send('GET', CONNECTIONS)).status).toBe(200);
  });

  it('shows what services use to services alone', async () => {
    expect((await catalog.send('GET', '/internal/v1/mcp/servers')).status).toBe(401);
  });
});
