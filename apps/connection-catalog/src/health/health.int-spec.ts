import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import { text } from 'node:stream/consumers';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ownCertificate, startHttpServer, startObjectStorage, until } from '@soma/testing';
import { SMTPServer } from 'smtp-server';
import { ResolveConnection } from '../connections/resolve-connection.ts';
import type { OAuthClient } from '../oauth/protocol/oauth-client.ts';
import {
  type CatalogServers,
  createCatalogServers,
  startCatalog,
  type TestCatalog,
} from '../spec-support.ts';
import { CheckHealth } from './check-health.ts';
import { ReadHealth } from './read-health.ts';

/** A client at a provider that nobody gets to ask. */
const CLIENT: OAuthClient = {
  ...{ provider: null, issuer: null, sends_issuer: false, authorization_endpoint: null },
  ...{ token_endpoint: 'https://127.0.0.2/token', device_authorization_endpoint: null },
  ...{ revocation_endpoint: null, client_id: 'soma', authentication: 'none', scopes: [] },
  ...{ resource: null, audience: null, has_pkce: false, registered_for: null },
  bound_to: null,
};
const PATH = '/api/v1/connections';
const TOKEN = 'good-token-7f3a';

/** Answers that wait for the test to let them go. */
const held: ServerResponse[] = [];

/** What the far side does below a path; elsewhere it asks for the token. */
const BEHAVIOUR: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  '/no-head': ({ method }, response) =>
    void response.writeHead(method === 'HEAD' ? 405 : 200).end(),
  '/held': (_request, response) => void held.push(response),
  '/broken': (_request, response) => void response.writeHead(500).end(),
  '/bot1:good/getMe': (_request, response) => void response.end('{"ok":true,"result":{}}'),
  '/bot1:bad/getMe': (_request, response) => void response.end('{"ok":false}'),
  '/busy': (_request, response) => void response.writeHead(429).end(),
  '/later': (_request, response) => void response.writeHead(429, { 'retry-after': '60' }).end(),
  '/counted': (_request, response) => void response.end(),
  '/inward': (_request, response) => {
    response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end();
  },
};

function answer(request: IncomingMessage, response: ServerResponse): void {
  const behave = BEHAVIOUR[request.url ?? ''];
  if (behave !== undefined) {
    behave(request, response);
    return;
  }
  const { authorization, 'x-api-key': key, 'x-goog-api-key': googleKey } = request.headers;
  const isGood = authorization === `Bearer ${TOKEN}` || [key, googleKey].includes(TOKEN);
  response.writeHead(isGood ? 200 : 401, { 'content-type': 'application/json' });
  response.end(JSON.stringify(isGood ? { login: 'octocat' } : { message: 'Bad credentials' }));
}

/** Answers `initialize` as the Streamable HTTP transport of MCP says; a stream of events stays open. */
function greet(response: ServerResponse, { id }: { id: string }, way: string): void {
  const result = { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 'notes' } };
  const message = JSON.stringify({ jsonrpc: '2.0', id, result });
  const headers = { 'mcp-session-id': 'session-1', 'content-type': 'application/json' };
  if (way === 'json') {
    response.writeHead(200, headers).end(message);
    return;
  }
  response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' });
  const lines = JSON.stringify(JSON.parse(message), null, 1).replaceAll('\n', '\ndata: ');
  const noise = way === 'flood' ? 'data: {\n\n'.repeat(10_000) : 'data: {\n\n';
  response.write(`: hello\n\n${noise}event: message\ndata: ${lines.slice(0, 20)}`);
  response.write(`${lines.slice(20)}\n\n`);
}

const SETTINGS = {
  OUTBOUND_ALLOWED_HOSTS: '127.0.0.1,localhost',
  INTEGRATIONS_HEALTH_CHECK_INTERVAL_SECONDS: '3600',
};

/** A mail server on a free port of this machine. */
async function listen(server: SMTPServer, running: AsyncDisposableStack): Promise<number> {
  running.defer(() => {
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.server.address() as AddressInfo).port;
}

describe('the health of connections', () => {
  const running = new AsyncDisposableStack();
  let servers: CatalogServers;
  let catalog: TestCatalog;
  let api: string;
  let deadPort: number;
  const requests: string[] = [];

  beforeAll(async () => {
    servers = await createCatalogServers(running);
    catalog = running.use(await startCatalog(servers, SETTINGS));
    const http = await startHttpServer((request, response) => {
      requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
      answer(request, response);
    });
    api = running.use(http).url;
    // It takes connections, and never says a word.
    const silent = createTcp(() => undefined);
    running.defer(() => void silent.close());
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    deadPort = (silent.address() as AddressInfo).port;
  });

  afterAll(() => running.disposeAsync());

  let count = 0;
  /** Creates a connection and looks at it. */
  async function check(
    type: string,
    fields: Record<string, unknown>,
  ): Promise<Record<string, unknown>> {
    const name = `c-${++count}`;
    const body = { name, type, fields };
    const created = await catalog.send('POST', PATH, { body });
    expect(created).toMatchObject({ status: 201 });
    const looked = await catalog.send('GET', `${PATH}/${name}/health`);
    expect(looked.status).toBe(200);
    return looked.body;
  }

  it.each<[string, Record<string, unknown>, string]>([
    ['github', { api_url: 'API/github' }, 'GET /github/user'],
    ['openai', { base_url: 'API/openai/v1' }, 'GET /openai/v1/models'],
    ['openai_compatible', { base_url: 'API/own/v1' }, 'GET /own/v1/models'],
    ['openrouter', { base_url: 'API/router/v1' }, 'GET /router/v1/key'],
    ['anthropic', { base_url: 'API/anthropic/v1' }, 'GET /anthropic/v1/models?limit=1'],
    ['meta', { api_url: 'API/meta/v24.0' }, 'GET /meta/v24.0/me?fields=id'],
    ['stripe', { api_url: 'API/stripe' }, 'GET /stripe/v1/balance'],
    ['gemini', { base_url: 'API/gemini/v1beta' }, 'GET /gemini/v1beta/models?pageSize=1'],
    ['generic_http', { base_url: 'API/generic' }, 'HEAD /generic'],
  ])('asks %s by what costs and changes nothing', async (type, given, request) => {
    const key = ['github', 'meta', 'generic_http'].includes(type) ? 'token' : 'api_key';
    const fields = Object.fromEntries(
      Object.entries(given).map(([field, value]) => [field, String(value).replace('API', api)]),
    );
    const good = await check(type, { ...fields, [key]: TOKEN });
    const bad = await check(type, { ...fields, [key]: 'bad' });

    expect(good).toMatchObject({ health: 'healthy', reason: null, failures: 0 });
    expect(bad).toMatchObject({ health: 'degraded', reason: 'credential_refused' });
    // The prober has asked the same.
    const folder = request.split('/')[1] ?? '';
    const asked = requests.filter((each) => each.split('/')[1] === folder);
    expect(new Set(asked)).toEqual(new Set([request]));
    expect(JSON.stringify([good, bad])).not.toContain(TOKEN);
  });

  it('believes what an answer says, where all have status 200', async () => {
    const good = await check('telegram', { api_url: api, token: '1:good' });
    const bad = await check('telegram', { api_url: api, token: '1:bad' });

    expect(good).toMatchObject({ health: 'healthy' });
    expect(bad).toMatchObject({ reason: 'credential_refused' });
  });

  it('asks by GET where the other side knows no HEAD', async () => {
    const { health } = await check('generic_http', { base_url: `${api}/no-head` });

    expect(health).toBe('healthy');
    expect(requests).toEqual(expect.arrayContaining(['HEAD /no-head', 'GET /no-head']));
  });

  it.each<[string, () => Record<string, unknown>, object]>([
    ['what fails', () => ({ base_url: `${api}/broken` }), { reason: 'unexpected_answer' }],
    ['nobody', () => ({ base_url: 'http://127.0.0.1:1' }), { reason: 'unreachable' }],
    ['our own hosts', () => ({ base_url: 'http://127.0.0.2' }), { reason: 'address_refused' }],
    ['a way inwards', () => ({ base_url: `${api}/inward` }), { reason: 'address_refused' }],
    ['plain HTTP outside', () => ({ base_url: 'http://8.8.8.8' }), { reason: 'address_refused' }],
    ['no TLS', () => ({ base_url: api.replace('http', 'https') }), { reason: 'tls_refused' }],
    ['who limits us', () => ({ base_url: `${api}/busy` }), { health: 'healthy' }],
  ])('says what there is: %s', async (_what, fields, expected) => {
    const report = await check('generic_http', fields());

    expect(report).toMatchObject(expected);
    expect(report['reason'] === null).toBe(report['detail'] === null);
  });

  it('has nothing to ask where that would cost something, or is elsewhere', async () => {
    const all = [
      await check('brave_search', { api_key: TOKEN }),
      await check('webhook', { verifier: 'bearer', webhook_secret: 's' }),
      await check('github', { webhook_secret: 'for webhooks alone' }),
      await check('mcp', { command: 'npx' }),
      await check('database', { dialect: 'sqlite', database: 'notes.db' }),
      await check('oauth_app', { client_id: 'c', token_url: `${api}/token` }),
    ];

    expect(all.map(({ health }) => health)).toEqual(Array(6).fill('not_applicable'));
    expect(all.map(({ token }) => token)).toEqual([
      ...Array<null>(5).fill(null),
      { status: 'not_authorized', reason: null, expires_at: null },
    ]);
  });

  it('asks PostgreSQL, and knows a wrong password from a database that is not there', async () => {
    const url = new URL(servers.settings['DATABASE_URL'] ?? '');
    const fields = {
      ...{ dialect: 'postgresql', host: url.hostname, port: Number(url.port), tls: false },
      ...{ username: url.username, password: decodeURIComponent(url.password) },
      database: url.pathname.slice(1),
    };
    const good = await check('database', fields);
    const wrong = await check('database', { ...fields, password: 'wrong' });
    const missing = await check('database', { ...fields, database: 'not_there' });
    const encrypted = await check('database', { ...fields, tls: true });

    expect(good).toMatchObject({ health: 'healthy' });
    expect(wrong).toMatchObject({ reason: 'credential_refused' });
    expect(missing).toMatchObject({ reason: 'unexpected_answer' });
    expect(encrypted).toMatchObject({ reason: 'tls_refused' });
  });

  /** What somebody has authorised, whose token is to be renewed by a pod that will not. */
  async function authoriseInVain(name: string, grant: { isHeld: boolean }): Promise<void> {
    await servers.database.execute(
      `INSERT INTO catalog.oauth_grants
         (tenant_id, connection_id, grant_type, client, status, generation, token_version,
          is_renewable, expires_at, leased_until, authorized_by)
       SELECT tenant_id, connection_id, 'client_credentials', $2, 'active', 0, 7, true,
              CASE WHEN $3 THEN now() END, CASE WHEN $3 THEN now() + interval '1 hour' END, 'test'
         FROM catalog.connections WHERE name = $1`,
      [name, JSON.stringify(CLIENT), grant.isHeld],
    );
    await makeNew(name);
  }

  /** What was changed is looked at anew, whoever looks at it as it was. */
  async function makeNew(name: string): Promise<void> {
    await catalog.send('PATCH', `${PATH}/${name}`, { body: { rate_limit_rpm: 7 } });
  }

  it("shows how an application's token stands, which is all that there is to know", async () => {
    const fields = { client_id: 'c', token_url: `${api}/token` };
    await catalog.send('POST', PATH, { body: { name: 'app', type: 'oauth_app', fields } });
    await authoriseInVain('app', { isHeld: false });
    const read = async (): Promise<unknown> => {
      const { health, token } = (await catalog.send('GET', `${PATH}/app/health`)).body;
      return { health, token };
    };

    const active = await read();
    await servers.database.execute(
      `UPDATE catalog.oauth_grants SET status = 'expired', reason = 'no_refresh_token'
        WHERE connection_id = (SELECT connection_id FROM catalog.connections WHERE name = 'app')`,
    );
    const expired = await read();

    expect([active, expired]).toEqual([
      { health: 'not_applicable', token: { status: 'active', reason: null, expires_at: null } },
      {
        health: 'not_applicable',
        token: { status: 'expired', reason: 'no_refresh_token', expires_at: null },
      },
    ]);
  });

  it('does not wait for what says nothing: a database, or whoever renews a token', async () => {
    const fields = { host: '127.0.0.1', port: deadPort, database: 'd', tls: false };
    const account = { username: 'u', password: 'p' };
    const body = { name: 'waits', type: 'mcp', fields: { url: 'http://127.0.0.2/mcp' } };
    await catalog.send('POST', PATH, { body });
    await authoriseInVain('waits', { isHeld: true });
    const begun = performance.now();
    const reports = await Promise.all([
      catalog.send('GET', `${PATH}/waits/health`).then((answer) => answer.body),
      ...['postgresql', 'mysql', 'sqlserver'].map((dialect) =>
        check('database', { dialect, ...fields, ...account }),
      ),
    ]);

    expect(reports.map(({ health }) => health)).toEqual(Array(4).fill('degraded'));
    expect(reports.shift()).toMatchObject({ reason: 'credential_unavailable' });
    reports.forEach(({ reason }) => {
      expect(['timeout', 'unreachable']).toContain(reason);
    });
    // The check's ten seconds, and not a driver's own, nor those of who waits for a token.
    expect(performance.now() - begun).toBeLessThan(20_000);
  });

  it('says that a credential cannot be read, to whoever looks and to whoever uses it', async () => {
    const create = async (name: string, type: string, fields: object): Promise<void> => {
      await catalog.send('POST', PATH, { body: { name, type, fields } });
    };
    await create('spoilt', 'generic_http', { base_url: `${api}/no-head`, token: TOKEN });
    await create('tokenless', 'mcp', { url: `${api}/no-head` });
    await servers.database.execute(
      `UPDATE catalog.secrets SET sealed = 'spoilt' WHERE connection_id =
         (SELECT connection_id FROM catalog.connections WHERE name = 'spoilt')`,
    );
    await makeNew('spoilt');
    await authoriseInVain('tokenless', { isHeld: false });

    const worker = { tenant_id: 'acme', subject: 'worker' };
    const resolve = catalog.service.get(ResolveConnection, { strict: false });
    for (const name of ['spoilt', 'tokenless']) {
      const looked = await catalog.send('GET', `${PATH}/${name}/health`);
      expect(looked).toMatchObject({ status: 200, body: { reason: 'credential_unavailable' } });
      const lease = resolve.execute(worker, { name, purpose: 'tool' });
      await expect(lease).rejects.toMatchObject({ status: 502, code: 'credential_unavailable' });
    }
  });

  it('looks at what others ask for, however often one tenant asks for a dead host (P5)', async () => {
    const as = { tenant: 'initech' };
    const live = { name: 'live', type: 'generic_http', fields: { base_url: `${api}/no-head` } };
    const dead = { ...live, name: 'dead', fields: { base_url: `http://127.0.0.1:${deadPort}` } };
    await catalog.send('POST', PATH, { as, body: dead });
    await catalog.send('POST', PATH, { as: { tenant: 'globex' }, body: live });
    const asked: ReturnType<TestCatalog['send']>[] = [];
    // Each change makes it another connection, which wants a check of its own.
    for (let rate_limit_rpm = 1001; rate_limit_rpm <= 1012; rate_limit_rpm++) {
      await catalog.send('PATCH', `${PATH}/dead`, { as, body: { rate_limit_rpm } });
      asked.push(catalog.send('GET', `${PATH}/dead/health`, { as }));
    }
    void Promise.allSettled(asked);
    const others = await catalog.send('GET', `${PATH}/live/health`, { as: { tenant: 'globex' } });

    const refused = { status: 503, body: { code: 'health_checks_busy' } };
    expect(await Promise.race(asked)).toMatchObject(refused);
    expect(others).toMatchObject({ status: 200, body: { health: 'healthy' } });
  });

  it('greets a mail server, signs in, and sends nothing', async () => {
    const mails: string[] = [];
    const server = new SMTPServer({
      hideSTARTTLS: true,
      onAuth: ({ username, password }, _session, done) => {
        if (username === 'soma' && password === TOKEN) done(null, { user: username });
        else done(new Error('Invalid username or password'));
      },
      onData: (stream, _session, done) => {
        mails.push('a mail');
        stream.resume().on('end', done);
      },
    });
    const port = await listen(server, running);
    const fields = { host: '127.0.0.1', port, username: 'soma' };

    expect(await check('smtp', { ...fields, password: TOKEN })).toMatchObject({
      health: 'healthy',
    });
    expect(await check('smtp', { ...fields, password: 'bad' })).toMatchObject({
      reason: 'credential_refused',
    });
    expect(mails).toEqual([]);
  });

  it('signs in at a mail server that it can trust, over TLS alone', async () => {
    const { pfx, passphrase, certificate } = await ownCertificate('localhost');
    const before = getCACertificates('default');
    setDefaultCACertificates([...before, certificate]);
    running.defer(() => {
      setDefaultCACertificates(before);
    });
    const tried: (string | boolean | undefined)[] = [];
    const server = new SMTPServer({
      ...{ pfx, passphrase },
      onAuth: ({ username }, { secure }, done) => {
        tried.push(username, secure);
        done(null, { user: username });
      },
    });
    const port = await listen(server, running);
    const fields = { host: 'localhost', port, username: 'soma', password: TOKEN };

    expect(await check('smtp', fields)).toMatchObject({ health: 'healthy' });
    expect(tried).toEqual(['soma', true]);
  });

  it('takes no password to a mail server that nobody can trust', async () => {
    const tried: string[] = [];
    const server = new SMTPServer({
      onAuth: ({ username }, _session, done) => {
        tried.push(username ?? '');
        done(null, { user: username });
      },
    });
    const port = await listen(server, running);
    const fields = { host: '127.0.0.1', port, username: 'soma', password: TOKEN };

    // Its certificate is one that it made itself.
    expect(await check('smtp', fields)).toMatchObject({ reason: 'tls_refused' });
    expect(tried).toEqual([]);
  });

  it('asks a bucket, by a signature that S3 accepts', async () => {
    const account = { accessKeyId: 'soma', secretAccessKey: 'secret-of-soma' };
    const storage = running.use(await startObjectStorage({ bucket: 'documents', ...account }));
    const fields = {
      ...{ endpoint: storage.url, region: 'us-east-1', bucket: 'documents' },
      ...{ access_key_id: account.accessKeyId, secret_access_key: account.secretAccessKey },
    };
    const good = await check('s3', fields);
    const bad = await check('s3', { ...fields, secret_access_key: 'bad' });
    const missing = await check('s3', { ...fields, bucket: 'not-there' });

    expect(good).toMatchObject({ health: 'healthy' });
    expect(bad).toMatchObject({ reason: 'credential_refused' });
    expect(missing).toMatchObject({ reason: 'unexpected_answer' });
  });

  /** An MCP server for whoever has the token and the header, and what it was asked. */
  async function startNotes(way: string): Promise<{ url: string; seen: string[] }> {
    const seen: string[] = [];
    const server = await startHttpServer((request, response) => {
      const { authorization, 'x-team': team, 'mcp-session-id': session = '' } = request.headers;
      seen.push(`${request.method ?? ''} ${String(session)}`.trim());
      if (authorization !== `Bearer ${TOKEN}` || team !== 'a') {
        response.writeHead(401).end();
      } else if (request.method === 'DELETE') {
        // Not what it should do: the check has what it wants to know.
        request.destroy();
      } else {
        void text(request).then((body) => {
          greet(response, JSON.parse(body) as { id: string }, way);
        });
      }
    });
    return { url: `${running.use(server).url}/mcp`, seen };
  }
  const headers = JSON.stringify({ 'x-team': 'a' });

  it.each(['json', 'event-stream'])(
    'greets an MCP server that answers by %s, and ends the session',
    async (way) => {
      const { url, seen } = await startNotes(way);

      expect(await check('mcp', { url, token: TOKEN, headers })).toMatchObject({
        health: 'healthy',
      });
      await until(() => Promise.resolve(seen.includes('DELETE session-1')));
    },
  );

  it('knows an MCP server that lets it in from what is none', async () => {
    const { url } = await startNotes('flood');
    const reports = [
      await check('mcp', { url, token: TOKEN, headers }),
      await check('mcp', { url, token: 'bad', headers }),
      await check('mcp', { url: `${api}/no-head` }),
    ];

    expect(reports.map(({ reason }) => reason)).toEqual([
      ...['unexpected_answer', 'credential_refused', 'unexpected_answer'],
    ]);
  });

  it('keeps how a connection was, and recovers at the first success', async () => {
    const reports = [await check('generic_http', { base_url: `${api}/broken` })];
    const name = `c-${count}`;
    const look = async (): Promise<Record<string, unknown>> =>
      (await catalog.send('GET', `${PATH}/${name}/health`)).body;
    // It is looked at without being asked, too.
    while (Number(reports.at(-1)?.['failures']) < 3) reports.push(await look());
    const last = reports.at(-1);
    const listed = await catalog.send('GET', `${PATH}?health=unhealthy`);
    const repaired = { fields: { base_url: `${api}/no-head` } };
    await catalog.send('PATCH', `${PATH}/${name}`, { body: repaired });
    const recovered = await look();

    reports.forEach(({ failures, health }) => {
      expect(health).toBe(Number(failures) < 3 ? 'degraded' : 'unhealthy');
    });
    expect(last?.['history']).toHaveLength(Number(last?.['failures']));
    expect(listed.body).toMatchObject({ connections: [{ name, health: 'unhealthy' }] });
    expect(recovered).toMatchObject({ health: 'healthy', failures: 0, reason: null });
  });

  it('counts a failure once, however many look at the same time', async () => {
    await using other = await startCatalog(servers, SETTINGS);
    const pods = [catalog, other];
    const path = `${PATH}/looked-at`;
    const untilHeld = (count: number): Promise<true> =>
      until(() => Promise.resolve(held.length === count));
    const breakAll = (): void => {
      for (const response of held.splice(0)) response.writeHead(500).end();
    };
    const body = { name: 'looked-at', type: 'generic_http', fields: { base_url: `${api}/held` } };
    await catalog.send('POST', PATH, { body });
    // By the prober.
    await untilHeld(1);
    breakAll();
    await until(async () => (await catalog.send('GET', path)).body['health'] === 'degraded');

    const health = catalog.service.get(ReadHealth, { strict: false });
    const row = await health.find('acme', 'looked-at');
    const looks = pods.flatMap(({ service }) =>
      Array.from({ length: 4 }, () => service.get(CheckHealth, { strict: false }).execute(row)),
    );
    await untilHeld(pods.length);
    breakAll();
    await Promise.all(looks);

    // One look of each pod, and no more.
    expect(held).toEqual([]);
    const { failures, history } = await health.report(row);
    expect([failures, history.length]).toEqual([2, 2]);
  });

  it('looks at a new connection, and at a changed one, without being asked', async () => {
    const body = { name: 'by-itself', type: 'generic_http', fields: { base_url: `${api}/broken` } };
    await catalog.send('POST', PATH, { body });
    const health = (expected: string): Promise<true> =>
      until(async () => {
        const found = await catalog.send('GET', `${PATH}/by-itself`);
        return found.body['health'] === expected;
      });

    await health('degraded');
    const repaired = { fields: { base_url: `${api}/no-head` } };
    await catalog.send('PATCH', `${PATH}/by-itself`, { body: repaired });
    await health('healthy');
  });

  it.each([
    { what: 'has asked to be left alone', path: '/later', rate_limit_rpm: null, most: 1 },
    { what: 'is used as much as it may be', path: '/counted', rate_limit_rpm: 2, most: 3 },
  ])('looks no more at what $what, for now', async ({ path, rate_limit_rpm, most }) => {
    const name = `limited${path.replace('/', '-')}`;
    const body = { name, type: 'generic_http', fields: { base_url: api + path }, rate_limit_rpm };
    await catalog.send('POST', PATH, { body });
    const refused = await until(async () => {
      const looked = await catalog.send('GET', `${PATH}/${name}/health`);
      return looked.status === 429 && looked;
    });

    expect(refused.body).toMatchObject({ code: 'connection_rate_limited' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const { body: found } = await catalog.send('GET', `${PATH}/${name}`);
    expect(found).toMatchObject({ health: 'healthy' });
    expect(requests.filter((each) => each.endsWith(path)).length).toBeLessThanOrEqual(most);
  });

  it("says nothing of another tenant's connection (P6)", async () => {
    await check('generic_http', { base_url: `${api}/no-head` });
    const other = await catalog.send('GET', `${PATH}/c-${count}/health`, {
      as: { tenant: 'globex' },
    });

    expect(other).toMatchObject({ status: 404, body: { code: 'connection_not_found' } });
  });
});
