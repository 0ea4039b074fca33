import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@soma/testing';
import { ResolveConnection } from '../connections/resolve-connection.ts';
import {
  type CatalogServers,
  createCatalogServers,
  startCatalog,
  type TestAnswer,
  type TestCatalog,
} from '../spec-support.ts';
import {
  addConnection,
  connectionTo,
  initiate,
  OAUTH_SETTINGS,
  type TestConnection,
  tokenOf,
} from './spec-support.ts';
import { TestBrowser } from './browser/spec-support.ts';
import { TestProvider } from './provider/spec-support.ts';
import {
  startFormProvider,
  startGuardedServer,
  startServer,
  type TestServer,
} from './servers/spec-support.ts';

describe('authorising a connection', () => {
  const running = new AsyncDisposableStack();
  let servers: CatalogServers;
  let catalog: TestCatalog;
  let provider: TestProvider;

  beforeAll(async () => {
    servers = await createCatalogServers(running);
    catalog = running.use(await startCatalog(servers, OAUTH_SETTINGS));
    provider = running.use(await TestProvider.start());
  });
  afterAll(() => running.disposeAsync());

  async function connect(
    change: Partial<TestConnection> = {},
  ): Promise<TestConnection & { id: string }> {
    const connection = connectionTo(provider, change);
    return { ...connection, id: await addConnection({ servers, catalog }, connection) };
  }

  async function statusOf(name: string, tenant = 'acme'): Promise<Record<string, unknown>> {
    const as = { tenant };
    return (await catalog.send('GET', `/api/v1/oauth/status/${name}`, { as })).body;
  }

  /** Starts in a browser, agrees there, and stops before the way back. */
  async function agree(
    name: string,
    browser = new TestBrowser(),
    tenant = 'acme',
  ): Promise<{ browser: TestBrowser; parameters: URLSearchParams }> {
    const started = await initiate({ catalog, browser, as: { tenant } }, { connection_name: name });
    const url = String(started.body['authorization_url']);
    return { browser, parameters: await browser.agree(url) };
  }

  it('sends a browser to the provider and back, with PKCE and the issuer checked', async () => {
    const { name, id } = await connect();
    const browser = new TestBrowser();

    const started = await initiate({ catalog, browser }, { connection_name: name });
    const url = new URL(String(started.body['authorization_url']));
    const parameters = await browser.agree(url.href);
    const page = await browser.comeBack(catalog, parameters);

    expect(started.status).toBe(200);
    expect(url.searchParams.get('code_challenge_method')).toBe('S256');
    expect(parameters.get('iss')).toBe(provider.url);
    expect(page).toEqual([200, expect.stringContaining('Connected')]);
    expect(await statusOf(name)).toMatchObject({
      ...{ status: 'active', grant_type: 'authorization_code', refreshable: true, pending: null },
      scope: 'openid mail',
    });
    await expect(tokenOf(catalog, id)).resolves.toEqual(expect.any(String));
  });

  it('gives the browser a cookie that no script reads and no other path gets', async () => {
    const { name } = await connect();
    const { headers } = await initiate(
      { catalog, browser: new TestBrowser() },
      { connection_name: name },
    );

    const [cookie = ''] = headers.getSetCookie();
    expect(cookie).toMatch(/^soma_oauth_[\w-]+=[\w-]{43}; Path=\/api\/v1\/oauth\/callback; /);
    expect(cookie).toContain('HttpOnly; SameSite=Lax; Secure');
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('lets somebody take as long as the operator says', async () => {
    const settings = { ...OAUTH_SETTINGS, INTEGRATIONS_OAUTH_STATE_EXPIRY_SECONDS: '90' };
    await using hurried = await startCatalog(servers, settings);
    const { name, id } = await connect();

    const { headers } = await initiate(
      { catalog: hurried, browser: new TestBrowser() },
      { connection_name: name },
    );

    // The seconds that are left when it is written.
    const [, seconds] = /Max-Age=(\d+)/.exec(headers.getSetCookie().join()) ?? [];
    expect(Number(seconds)).toBeGreaterThan(60);
    expect(Number(seconds)).toBeLessThanOrEqual(90);
    const [flow] = await servers.database.execute(
      `SELECT round(extract(epoch FROM expires_at - created_at))::int AS seconds
         FROM catalog.oauth_flows WHERE connection_id = $1`,
      [id],
    );
    expect(flow).toEqual({ seconds: 90 });
  });

  it('uses a state once', async () => {
    const { name } = await connect();
    const { browser, parameters } = await agree(name);
    const exchanges = provider.count('authorization_code');

    const pages = [];
    for (let times = 0; times < 2; times++) pages.push(await browser.comeBack(catalog, parameters));

    expect(pages.map(([status]) => status)).toEqual([200, 400]);
    expect(provider.count('authorization_code') - exchanges).toBe(1);
  });

  it('uses a state once, however many come back with it at once', async () => {
    const { name } = await connect();
    const { browser, parameters } = await agree(name);

    const pages = await Promise.all(
      Array.from({ length: 8 }, () => browser.comeBack(catalog, parameters)),
    );

    expect(pages.map(([status]) => status).sort()).toEqual([200, ...Array<number>(7).fill(400)]);
  });

  it('is finished by the browser that started it, whoever else has the address', async () => {
    const { name } = await connect();
    const { browser, parameters } = await agree(name);
    const stranger = new TestBrowser();

    // One without any cookie, and one that has started something itself.
    const without = await stranger.comeBack(catalog, parameters);
    await agree((await connect()).name, stranger);
    const withOwn = await stranger.comeBack(catalog, parameters);

    expect([without[0], withOwn[0]]).toEqual([400, 400]);
    expect(await statusOf(name)).toMatchObject({ status: 'not_authorized' });
    // The stranger has not used it up.
    expect((await browser.comeBack(catalog, parameters))[0]).toBe(200);
  });

  it('takes no code of another authorisation: PKCE binds it', async () => {
    const { name } = await connect();
    const victim = await agree(name);
    const attacker = await agree((await connect()).name);
    victim.parameters.set('code', attacker.parameters.get('code') ?? '');

    const [status, page] = await victim.browser.comeBack(catalog, victim.parameters);

    expect([status, page]).toEqual([502, expect.stringContaining('invalid_grant')]);
    expect(await statusOf(name)).toMatchObject({
      ...{ status: 'not_authorized', pending: { error: 'invalid_grant' } },
    });
  });

  it.each([
    ['another issuer sends', 'https://evil.example'],
    ['nobody says who sends', undefined],
  ])('takes nothing that %s (RFC 9207)', async (_name, issuer) => {
    const { name } = await connect();
    const { browser, parameters } = await agree(name);
    const exchanges = provider.count('authorization_code');
    parameters.delete('iss');
    if (issuer !== undefined) parameters.set('iss', issuer);

    const [status] = await browser.comeBack(catalog, parameters);

    expect(status).toBe(400);
    expect(provider.count('authorization_code')).toBe(exchanges);
    expect(await statusOf(name)).toMatchObject({ pending: { error: 'wrong_issuer' } });
  });

  it('belongs to its tenant alone (P6)', async () => {
    const name = (await connect()).name;
    const theirs = await connect({ name, tenant: 'globex' });
    const { browser, parameters } = await agree(name);
    const other = await agree(name, new TestBrowser(), 'globex');

    // Their browser, with their cookie, brings our state.
    const crossed = await other.browser.comeBack(catalog, parameters);
    const own = await browser.comeBack(catalog, parameters);
    const status = await catalog.send('GET', `/api/v1/oauth/status/${(await connect()).name}`, {
      as: { tenant: 'globex' },
    });

    expect([crossed[0], own[0]]).toEqual([400, 200]);
    expect(await statusOf(name, 'globex')).toMatchObject({ status: 'not_authorized' });
    expect(status).toMatchObject({ status: 404, body: { code: 'connection_not_found' } });
    await expect(tokenOf(catalog, theirs.id, 'globex')).rejects.toMatchObject({
      code: 'connection_not_authorized',
    });
  });

  it('says readably that somebody said no, and shows nothing of a stranger as HTML', async () => {
    const { name } = await connect();
    const { browser, parameters } = await agree(name);
    const iss = provider.url;
    const state = parameters.get('state') ?? '';

    const page = await browser.comeBack(
      catalog,
      new URLSearchParams({ iss, state, error: 'access_denied' }),
    );
    const again = await agree(name);
    again.parameters.delete('code');
    again.parameters.set('error', '<script>alert(1)</script>');
    const [, written] = await again.browser.comeBack(catalog, again.parameters);

    expect(page).toEqual([403, expect.stringContaining('said no')]);
    expect(written).not.toContain('<script>');
    expect(await statusOf(name)).toMatchObject({ status: 'not_authorized' });
  });

  it('takes nobody back who was away for too long', async () => {
    const { name, id } = await connect();
    const { browser, parameters } = await agree(name);
    await servers.database.execute(
      `UPDATE catalog.oauth_flows SET expires_at = now() - interval '1 s' WHERE connection_id = $1`,
      [id],
    );

    expect((await browser.comeBack(catalog, parameters))[0]).toBe(400);
    expect(await statusOf(name)).toMatchObject({ pending: { error: 'expired' } });
  });

  it('stores neither state nor verifier nor the key of a browser (P8)', async () => {
    const { name } = await connect();
    const { browser, parameters } = await agree(name);
    const secrets = [parameters.get('state') ?? '', ...browser.values()].filter(Boolean);

    const rows = JSON.stringify(await servers.database.execute('TABLE catalog.oauth_flows'));

    expect(secrets.length).toBeGreaterThan(1);
    expect(secrets.filter((secret) => rows.includes(secret))).toEqual([]);
  });

  it('gets a token for the client itself', async () => {
    const { name, id } = await connect();
    const body = { connection_name: name, grant_type: 'client_credentials' };

    const answer = await catalog.send('POST', '/api/v1/oauth/initiate', { body });

    expect(answer).toMatchObject({ status: 200, body: { status: 'active' } });
    expect(await statusOf(name)).toMatchObject({
      ...{ status: 'active', grant_type: 'client_credentials', refreshable: true },
    });
    const worker = { tenant_id: 'acme', subject: 'worker' };
    const resolve = catalog.service.get(ResolveConnection, { strict: false });
    const { credentials } = await resolve.execute(worker, { name, purpose: 'tool' });
    // And not what it is made by.
    expect(credentials).toEqual({ access_token: await tokenOf(catalog, id) });
  });

  it('says what a provider says of a wrong client, and nothing of its secret (P8)', async () => {
    const { name, secret = '' } = await connect({ secret: 'wrong-client-secret' });
    const body = { connection_name: name, grant_type: 'client_credentials' };

    const answer = await catalog.send('POST', '/api/v1/oauth/initiate', { body });

    expect(answer).toMatchObject({ status: 422, body: { code: 'oauth_provider_refused' } });
    expect(String(answer.body['detail'])).toContain('invalid_client');
    expect(JSON.stringify(answer.body)).not.toContain(secret);
  });

  it('shows a code for another device, and asks until somebody has entered it', async () => {
    const { name, id } = await connect();
    const body = { connection_name: name, grant_type: 'device_code' };
    const dueNow = (): Promise<unknown> =>
      servers.database.execute(
        'UPDATE catalog.oauth_flows SET due_at = now() WHERE connection_id = $1 AND ended IS NULL',
        [id],
      );

    const { body: shown } = await catalog.send('POST', '/api/v1/oauth/initiate', { body });
    const [flow] = await servers.database.execute(
      `SELECT due_at - created_at >= interval '4.9 s' AS waits FROM catalog.oauth_flows
        WHERE connection_id = $1`,
      [id],
    );
    const grantType = 'urn:ietf:params:oauth:grant-type:device_code';
    await dueNow();
    await until(() => provider.count(grantType) > 0);
    const waiting = await statusOf(name);
    await provider.approve(String(shown['user_code']));
    await dueNow();
    await until(async () => (await statusOf(name))['status'] === 'active');

    expect(shown).toMatchObject({
      ...{ verification_uri: `${provider.url}/device`, interval_seconds: 5 },
      user_code: expect.stringMatching(/^\w{4}-\w{4}$/),
    });
    expect(flow).toEqual({ waits: true });
    expect(waiting).toMatchObject({ status: 'not_authorized', pending: { error: null } });
    expect(await statusOf(name)).toMatchObject({ grant_type: 'device_code', pending: null });
    await expect(tokenOf(catalog, id)).resolves.toEqual(expect.any(String));
  });

  it('stops asking for a code that has expired at the provider', async () => {
    const { name, id } = await connect();
    const body = { connection_name: name, grant_type: 'device_code' };

    const { body: shown } = await catalog.send('POST', '/api/v1/oauth/initiate', { body });
    await provider.forget(String(shown['user_code']));
    await servers.database.execute(
      'UPDATE catalog.oauth_flows SET due_at = now() WHERE connection_id = $1',
      [id],
    );
    const errorOf = async (): Promise<unknown> =>
      ((await statusOf(name))['pending'] as { error: unknown }).error;
    await until(async () => (await errorOf()) !== null);

    expect(await errorOf()).toBe('invalid_grant');
    const rows = await servers.database.execute(
      'SELECT due_at FROM catalog.oauth_flows WHERE connection_id = $1',
      [id],
    );
    expect(rows).toEqual([{ due_at: null }]);
  });

  it('finds whom an MCP server trusts, and registers there by itself, once', async () => {
    const server = running.use(await startGuardedServer(provider.url));
    const connection = { name: 'mcp-server', type: 'mcp', fields: { url: server.url } };
    const id = await addConnection({ servers, catalog }, connection);

    const { browser, parameters } = await agree(connection.name);
    const first = await browser.comeBack(catalog, parameters);
    const again = await agree(connection.name);
    const second = await again.browser.comeBack(catalog, again.parameters);

    expect([first[0], second[0]]).toEqual([200, 200]);
    expect(provider.registered).toBe(1);
    // As a provider has it that has lost the client.
    await servers.database.execute(
      `UPDATE catalog.oauth_grants SET reason = 'invalid_client' WHERE connection_id = $1`,
      [id],
    );
    const anew = await agree(connection.name);
    expect((await anew.browser.comeBack(catalog, anew.parameters))[0]).toBe(200);
    expect(provider.registered).toBe(2);
    // RFC 8707: the token is for this server.
    expect(provider.resources).toContain(server.url);
    await expect(tokenOf(catalog, id)).resolves.toEqual(expect.any(String));
  });

  it('does not follow a document about another server (RFC 9728 §3.3)', async () => {
    const server = running.use(
      await startGuardedServer(provider.url, { resource: 'https://elsewhere.example/mcp' }),
    );
    const connection = { name: 'mcp-liar', type: 'mcp', fields: { url: server.url } };
    await addConnection({ servers, catalog }, connection);

    const answer = await initiate(
      { catalog, browser: new TestBrowser() },
      { connection_name: connection.name },
    );

    expect(answer.status).toBe(502);
  });

  it('finds a provider that speaks OpenID alone, and does without PKCE where it has none', async () => {
    const asked: string[] = [];
    const server: TestServer = running.use(
      await startServer((path, sent) => {
        const metadata = {
          ...{ issuer: server.url, token_endpoint: `${server.url}/token` },
          authorization_endpoint: `${server.url}/authorize`,
          code_challenge_methods_supported: ['plain'],
        };
        if (path === '/token') asked.push(sent);
        const found = {
          '/.well-known/openid-configuration': metadata,
          '/token': { access_token: 'plain', token_type: 'bearer', expires_in: 600 },
        }[path];
        return {
          ...{ status: found === undefined ? 404 : 200, type: 'application/json' },
          body: JSON.stringify(found ?? {}),
        };
      }),
    );
    const fields = { issuer: server.url, audience: 'https://api.example' };
    const careful = await connect({ fields });
    const refused = await initiate(
      { catalog, browser: new TestBrowser() },
      { connection_name: careful.name },
    );
    expect(refused).toMatchObject({ status: 422, body: { code: 'oauth_provider_unusable' } });

    const { name, id } = await connect({ fields: { ...fields, pkce_required: false } });
    const browser = new TestBrowser();
    const started = await initiate({ catalog, browser }, { connection_name: name });
    const { searchParams } = new URL(String(started.body['authorization_url']));
    expect([...searchParams.keys()]).not.toContain('code_challenge');
    expect(searchParams.get('audience')).toBe('https://api.example');

    const back = new URLSearchParams({ code: 'c', state: searchParams.get('state') ?? '' });
    expect((await browser.comeBack(catalog, back))[0]).toBe(200);
    expect([...new URLSearchParams(asked.join()).keys()]).not.toContain('code_verifier');
    expect(await tokenOf(catalog, id)).toBe('plain');
  });

  it.each([
    ['follows a challenge that names a document of the server itself', 'its own'],
    ['does not follow a challenge to a document of somebody else', "another's"],
  ])('%s (RFC 9728 §5.1)', async (_what, whose) => {
    const asked: string[] = [];
    const other: TestServer = running.use(
      await startServer((path) => {
        asked.push(path);
        return { status: 200, type: 'application/json', body: documentOf('https://evil.example') };
      }),
    );
    const documentOf = (issuer: string): string =>
      JSON.stringify({ resource: server.url, authorization_servers: [issuer] });
    const server: TestServer = running.use(
      await startServer((path) => {
        const meta = `${whose === 'its own' ? server.url : other.url}/meta`;
        // Its well-known place, where it is asked after that, knows another issuer.
        const issuer = { '/meta': provider.url, [WELL_KNOWN]: 'https://127.0.0.1:1' }[path];
        return {
          ...{ status: issuer === undefined ? 401 : 200, type: 'application/json' },
          headers: { 'www-authenticate': `Bearer resource_metadata="${meta}"` },
          body: issuer === undefined ? '{}' : documentOf(issuer),
        };
      }),
    );
    const name = `mcp-${whose.replaceAll(/\W/g, '-')}`;
    await addConnection({ servers, catalog }, { name, type: 'mcp', fields: { url: server.url } });

    const started = await initiate(
      { catalog, browser: new TestBrowser() },
      { connection_name: name },
    );

    expect(asked).toEqual([]);
    if (whose === 'its own') {
      const url = new URL(String(started.body['authorization_url']));
      expect(url.origin).toBe(new URL(provider.url).origin);
    } else {
      expect(started).toMatchObject({
        status: 502,
        body: { code: 'oauth_provider_unreachable' },
      });
    }
  });

  it.each([
    ['authorization_code', { authorization_endpoint: 'javascript:alert(1)' }],
    ['device_code', { verification_uri: 'file:///etc/passwd' }],
    ['device_code', { verification_uri_complete: 'data:,x' }],
  ])('sends nobody who asks for %s to %j', async (grant_type, said) => {
    const server: TestServer = running.use(
      await startServer(() => {
        const metadata = {
          ...{ issuer: server.url, token_endpoint: `${server.url}/token` },
          device_authorization_endpoint: `${server.url}/device`,
        };
        const codes = { device_code: 'd', user_code: 'u', expires_in: 600 };
        const page = { verification_uri: 'https://idp.example/device' };
        const body = JSON.stringify({ ...metadata, ...codes, ...page, ...said });
        return { status: 200, type: 'application/json', body };
      }),
    );
    const { name } = await connect({ fields: { issuer: server.url } });

    const body = { connection_name: name, grant_type };
    const answer = await catalog.send('POST', '/api/v1/oauth/initiate', { body });

    expect(answer).toMatchObject({ status: 422, body: { code: 'oauth_provider_unusable' } });
  });

  it('gets along with a provider that answers forms, and errors with 200', async () => {
    const forms = running.use(await startFormProvider());
    const { name, id } = await connect({
      fields: {
        ...{
          issuer: undefined,
          provider: 'github',
          auth_url: `${forms.url}/login/oauth/authorize`,
        },
        token_url: `${forms.url}/login/oauth/access_token`,
      },
    });
    const start = async (): Promise<[TestBrowser, URLSearchParams]> => {
      const browser = new TestBrowser();
      const { body } = await initiate({ catalog, browser }, { connection_name: name });
      const { searchParams } = new URL(String(body['authorization_url']));
      return [browser, new URLSearchParams({ state: searchParams.get('state') ?? '' })];
    };

    const [wrong, returned] = await start();
    returned.set('code', 'bad');
    const refused = await wrong.comeBack(catalog, returned);
    const [right, brought] = await start();
    brought.set('code', 'good');
    const connected = await right.comeBack(catalog, brought);

    expect(refused).toEqual([502, expect.stringContaining('bad_verification_code')]);
    expect(connected[0]).toBe(200);
    await expect(tokenOf(catalog, id)).resolves.toBe('gho_1');
    expect(await statusOf(name)).toMatchObject({ expires_at: null, scope: 'repo gist' });
  });

  it.each([
    ['a connection that is not there', {}, 404, 'connection_not_found'],
    ['a type without OAuth', { type: 'github', fields: {} }, 422, 'connection_without_oauth'],
    [
      'an address that tenants may not reach',
      { fields: { issuer: 'http://169.254.169.254/' } },
      422,
      'outbound_address_refused',
    ],
  ] as [string, Partial<TestConnection>, number, string][])(
    'refuses %s',
    async (_name, change, ...[status, code]) => {
      const { name } =
        Object.keys(change).length === 0 ? { name: 'nobody' } : await connect(change);

      const answer: TestAnswer = await initiate(
        { catalog, browser: new TestBrowser() },
        { connection_name: name },
      );

      expect(answer).toMatchObject({ status, body: { code } });
    },
  );

  it('lets nobody start, look or revoke without the scope', async () => {
    const { name } = await connect();
    const as = { tenant: 'acme', scopes: ['sessions:read'] };
    const calls = [
      catalog.send('POST', '/api/v1/oauth/initiate', { as, body: { connection_name: name } }),
      catalog.send('GET', `/api/v1/oauth/status/${name}`, { as }),
      catalog.send('POST', `/api/v1/oauth/revoke/${name}`, { as }),
      catalog.send('GET', `/api/v1/oauth/status/${name}`, { as: null }),
    ];

    const answers = await Promise.all(calls);

    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 401]);
  });

  it('revokes here at once and at the provider, and says whether that knows', async () => {
    const { name, id } = await connect();
    const { browser, parameters } = await agree(name);
    await browser.comeBack(catalog, parameters);
    const token = await tokenOf(catalog, id);

    const revoked = await catalog.send('POST', `/api/v1/oauth/revoke/${name}`);
    const again = await catalog.send('POST', `/api/v1/oauth/revoke/${name}`);

    expect(revoked).toMatchObject({
      status: 200,
      body: { status: 'revoked', revoked_at_provider: true },
    });
    expect(again.status).toBe(200);
    expect(await provider.knows(token)).toBe(false);
    expect(await statusOf(name)).toMatchObject({ status: 'revoked', refreshable: false });
    await expect(tokenOf(catalog, id)).rejects.toMatchObject({
      code: 'connection_reauthorization_required',
    });
    const kept = await servers.database.execute(
      `SELECT FROM catalog.secrets WHERE connection_id = $1 AND field = 'oauth_tokens'`,
      [id],
    );
    expect(kept).toEqual([]);
  });
});

const WELL_KNOWN = '/.well-known/oauth-protected-resource';
