import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, startTraceCollector, type TraceCollector, until } from '@soma/testing';
import { Client } from './client.ts';
import { startOAuthProvider, type TestOAuthProvider } from './oauth-provider.ts';
import { expectNowhere } from './sinks.ts';
import { type Pod, startSystem, type System } from './system.ts';

const canary = (name: string): string => `canary-${name}-${randomUUID()}`;

describe('a system with connections', () => {
  const running = new AsyncDisposableStack();
  const secrets = {
    modelKey: canary('model'),
    newModelKey: canary('rotated'),
    githubToken: canary('github'),
    webhookSecret: canary('webhook'),
    masterKey: randomBytes(32).toString('base64'),
    clientSecret: canary('client'),
    oauthClientSecret: canary('oauth-client'),
    authorizationCode: canary('code'),
    deviceCode: canary('device'),
    accessToken: canary('access'),
    refreshToken: canary('refresh'),
    mcpToken: canary('mcp'),
    mcpHeader: canary('mcp-header'),
    mcpEnvironment: canary('mcp-environment'),
    braveKey: canary('brave'),
  };
  let provider: TestOAuthProvider;
  let collector: TraceCollector;
  let system: System;
  let gateway: Pod;
  let client: Client;

  beforeAll(async () => {
    collector = running.use(await startTraceCollector());
    provider = running.use(await startOAuthProvider(secrets));
    system = await startSystem(running, {
      catalog: { settings: { SOMA_MASTER_KEY: secrets.masterKey } },
      environment: {
        // The operator's own key leads nowhere: what is answered, a tenant's own did.
        OPENAI_BASE_URL: `http://127.0.0.1:${await freePort()}`,
        OPENAI_CONNECTION_NAME: 'models',
        SERVICE_CLIENT_SECRET: secrets.clientSecret,
        OUTBOUND_ALLOWED_HOSTS: '127.0.0.1',
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        LOG_LEVEL: 'trace',
      },
    });
    [gateway] = system.gateways as [Pod];
    client = new Client(await system.tokenFor());
  });

  afterAll(() => running.disposeAsync());

  async function send(method: string, path: string, body?: object): Promise<Response> {
    return call(method, `/connections${path}`, body);
  }

  async function call(method: string, path: string, body?: object): Promise<Response> {
    return client.request(gateway, `/api/v1${path}`, {
      method,
      ...(body && { body: JSON.stringify(body) }),
    });
  }

  /** Connects a client at the provider, and asks there; what is shown is told. */
  async function authorise(name: string, grant_type: string): Promise<Response> {
    const { url } = provider;
    const fields = {
      ...{ client_id: 'soma', client_secret: secrets.oauthClientSecret, base_url: url },
      ...{ auth_url: `${url}/authorize`, token_url: `${url}/token`, device_url: `${url}/device` },
    };
    const made = await send('POST', '', { name, type: 'oauth_app', fields });
    expect(made.status).toBe(201);
    const started = await call('POST', '/oauth/initiate', { connection_name: name, grant_type });
    expect(started.status).toBe(200);
    return started;
  }

  /** The browser comes back with a code; answers what must not be seen of that. */
  async function comeBack(
    started: Response,
  ): Promise<{ browserKey: string; codeVerifier: string }> {
    const { authorization_url: url } = (await started.json()) as { authorization_url: string };
    const state = new URL(url).searchParams.get('state') ?? '';
    const [cookie = ''] = started.headers.getSetCookie().map((each) => each.replace(/;.*/, ''));
    const query = new URLSearchParams({ state, code: secrets.authorizationCode });
    const back = await fetch(`${gateway.url}/api/v1/oauth/callback?${String(query)}`, {
      headers: { cookie },
    });
    expect(back.status).toBe(200);
    const codeVerifier = provider.asked.at(-1)?.get('code_verifier') ?? '';
    return { browserKey: cookie.replace(/.*?=/, ''), codeVerifier };
  }

  const isActive = async (name: string): Promise<boolean> => {
    const status = await call('GET', `/oauth/status/${name}`);
    return ((await status.json()) as { status: string }).status === 'active';
  };

  /** By somebody who has just proved a second factor. */
  async function reveal(path: string): Promise<unknown> {
    const token = await system.tokenFor('acme', { amr: ['pwd', 'otp', 'mfa'] });
    const answer = await new Client(token).request(gateway, `/api/v1/connections${path}`);
    return answer.json();
  }

  /** A turn that ends with an answer, or with an error. */
  async function answerTo(message: string): Promise<unknown> {
    const sessionId = randomUUID();
    await client.say([gateway], message, sessionId);
    return (await client.ended(gateway, sessionId)).at(-1);
  }

  it('answers by the key that the tenant has connected, and shows it nowhere (P8)', async () => {
    const fields = { base_url: system.models.url, api_key: secrets.modelKey };
    const made = await send('POST', '', { name: 'models', type: 'openai', fields });
    expect(made.status).toBe(201);
    const github = { token: secrets.githubToken, webhook_secret: secrets.webhookSecret };
    const others = [
      await send('POST', '', { name: 'git', type: 'github', fields: github }),
      await send('POST', '', { name: 'git', type: 'github', fields: github }),
      await send('POST', '', { name: 'bad', type: 'github', fields: { ...github, more: 1 } }),
      await send('GET', ''),
      await send('GET', '/git'),
    ];
    expect(others.map(({ status }) => status)).toEqual([201, 409, 400, 200, 200]);

    expect(await answerTo('hello')).toMatchObject({ type: 'assistant.final' });
    // The provider repeats the key in its refusal.
    const refused = await answerTo('!script [{"status":401}]');
    expect(refused).toMatchObject({ type: 'assistant.error' });
    const patched = await send('PATCH', '/models', { fields: { api_key: secrets.newModelKey } });
    expect(patched.status).toBe(200);
    expect(await answerTo('hello again')).toMatchObject({ type: 'assistant.final' });
    const unknown = await send('GET', '/git/secrets/none');
    expect(unknown.status).toBe(404);

    // All wait until the provider's own time, which the worker has told.
    const later = await answerTo('!attempts [[{"status":429,"retry_after_s":1}],[{"text":"ok"}]]');
    expect(later).toMatchObject({ type: 'assistant.final' });

    const authorised = await comeBack(await authorise('oauth', 'authorization_code'));
    const shown = await authorise('device', 'device_code');
    await until(async () => (await isActive('oauth')) && (await isActive('device')));
    const grants = provider.asked.map((each) => each.get('device_code') ?? each.get('code'));
    expect(grants).toEqual([secrets.authorizationCode, secrets.deviceCode]);

    const value = secrets.webhookSecret;
    expect(await reveal('/git/secrets/webhook_secret')).toMatchObject({ value });

    const headers = JSON.stringify({ 'x-team': secrets.mcpHeader });
    const environment = JSON.stringify({ KEY: secrets.mcpEnvironment });
    const mcp = { url: `${provider.url}/mcp`, token: secrets.mcpToken, headers };
    const brave = { api_key: secrets.braveKey };
    const servers = [
      await send('POST', '', { name: 'notes', type: 'mcp', fields: mcp }),
      await send('POST', '', { name: 'local', type: 'mcp', fields: { command: 'x', environment } }),
      await send('POST', '', { name: 'brave', type: 'brave_search', fields: brave }),
      await call('POST', '/integrations/mcp/catalog/install', {
        ...{ catalog_entry_id: 'brave-search', connection_name: 'brave' },
      }),
      await send('GET', '/notes/health'),
      await call('GET', '/integrations/mcp/catalog/installed'),
    ];
    expect(servers.map(({ ok }) => ok)).toEqual(Array(6).fill(true));

    const answers = await Promise.all(
      [made, ...others, patched, unknown, shown, ...servers].map((each) => each.text()),
    );
    // What is told of changes is on its way.
    await until(async () => {
      const [row] = await system.query<{ waiting: number }>(
        'SELECT count(*)::int AS waiting FROM catalog.config_updates WHERE published_at IS NULL',
      );
      return row?.waiting === 0;
    });
    await expectNowhere(system, {
      ...{ headers: client.headers, collector, secrets: { ...secrets, ...authorised } },
      answers: new Map([['answers', answers.join('\n')]]),
      seen: [
        ...['connection.created', 'acme:models', 'connection-catalog', 'paused_until'],
        ...['connection.authorized', 'connection.secret_revealed', 'mcp_server.installed'],
      ],
    });
  });
});
