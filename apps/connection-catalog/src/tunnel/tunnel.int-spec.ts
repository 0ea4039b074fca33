import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ServiceTokens } from '@soma/auth';
import type { AuditEvent } from '@soma/contracts';
import { Secret } from '@soma/kernel';
import { until } from '@soma/testing';
import {
  type CatalogServers,
  createCatalogServers,
  listenToAudit,
  startCatalog,
  type TestAnswer,
  type TestCatalog,
} from '../spec-support.ts';
import { ngrokProvider } from './ngrok-tunnel.ts';
import { putCloudflared, type StandIn, tunnelToken } from './spec-support.ts';

const TUNNEL = '/api/v1/integrations/tunnel';
const TUNNEL_ID = randomUUID();
const TOKEN = tunnelToken(TUNNEL_ID);
const ON = {
  INTEGRATIONS_TUNNEL_ENABLED: 'true',
  CLOUDFLARE_TOKEN: TOKEN,
  CLOUDFLARE_TUNNEL_ID: TUNNEL_ID,
};
const OPERATOR = { as: { tenant: 'soma' } };

describe('the tunnel', () => {
  const running = new AsyncDisposableStack();
  let servers: CatalogServers;
  let cloudflared: StandIn;
  let pod: TestCatalog;
  let other: TestCatalog;
  let audited: AuditEvent[];

  beforeAll(async () => {
    cloudflared = running.use(await putCloudflared());
    servers = await createCatalogServers(running);
    audited = await listenToAudit(servers, running);
    pod = running.use(await startCatalog(servers, ON));
    other = running.use(await startCatalog(servers, ON));
  });

  afterAll(() => running.disposeAsync());

  afterEach(async () => {
    await cloudflared.behave('works');
    await stop();
  });

  const start = (at = pod, provider = 'cloudflare'): Promise<TestAnswer> =>
    at.send('POST', `${TUNNEL}/start`, { ...OPERATOR, body: { provider } });
  const stop = (at = pod): Promise<TestAnswer> => at.send('POST', `${TUNNEL}/stop`, OPERATOR);
  const status = async (at = pod): Promise<unknown> =>
    (await at.send('GET', `${TUNNEL}/status`, OPERATOR)).body;

  /** As another service, for any tenant. */
  async function statusForServices(): Promise<unknown> {
    const tokens = new ServiceTokens({
      tokenUrl: servers.issuer.tokenUrl,
      clientId: 'webhooks',
      clientSecret: new Secret('secret'),
    });
    const principal = { tenant_id: 'acme', subject: 'webhooks', scopes: [] };
    const response = await fetch(`${pod.url}/internal/v1/tunnel`, {
      headers: {
        authorization: `Bearer ${(await tokens.tokenFor('connection-catalog')).reveal()}`,
        ...(await tokens.principalHeader('connection-catalog', principal)),
      },
    });
    return response.json();
  }

  async function untilNoneRuns(): Promise<void> {
    await until(async () => (await cloudflared.running()).length === 0);
  }

  it('opens, tells every pod where it is reached, and closes at any pod', async () => {
    const started = await start();
    const seen = await status(other);
    const again = await start(other);
    const stopped = await stop(other);

    expect(started).toMatchObject({
      status: 200,
      body: {
        ...{ state: 'running', provider: 'cloudflare', public_url: 'https://hooks.example.com' },
      },
    });
    // Who did it is the operator's alone to know.
    expect(started.body).not.toHaveProperty('started_by');
    expect(seen).toEqual(started.body);
    expect(again).toMatchObject({ status: 409, body: { code: 'tunnel_exists' } });
    expect(stopped).toMatchObject({ status: 200, body: { state: 'stopped', public_url: null } });
    expect(await cloudflared.running()).toEqual([]);
    expect((await stop()).body).toMatchObject({ state: 'stopped' });
  });

  it('is told to the audit log, and to services that ask for its address', async () => {
    const before = audited.length;
    await start();
    const told = await statusForServices();
    await stop(other);
    await stop(other);

    expect(told).toMatchObject({ state: 'running', public_url: 'https://hooks.example.com' });
    const lines = await until(() => audited.length >= before + 2 && audited.slice(before));
    expect(lines).toMatchObject([
      { tenant_id: 'soma', action: 'tunnel.started', outcome: 'success' },
      { tenant_id: 'soma', action: 'tunnel.stopped', outcome: 'success' },
    ]);
    expect((await pod.send('GET', '/internal/v1/tunnel', OPERATOR)).status).toBe(401);
  });

  it('keeps the token out of what `ps` shows (P8)', async () => {
    await start();
    const [pid = 0] = await cloudflared.running();

    const last = (await cloudflared.starts()).at(-1);
    expect(last?.arguments).toEqual(expect.arrayContaining(['tunnel', 'run']));
    expect(JSON.stringify(last)).not.toContain(TOKEN);
    if (process.platform === 'linux') {
      expect(await readFile(`/proc/${pid}/environ`, 'utf8')).toContain(TOKEN);
      expect(await readFile(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(TOKEN);
    }
  });

  it('is one, however many pods open it at once', async () => {
    const answers = await Promise.all([pod, other, pod, other].map((each) => start(each)));

    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409, 409, 409]);
    expect(await cloudflared.running()).toHaveLength(1);
  });

  it('ends with the process that opened it, also when that is killed', async () => {
    const script = fileURLToPath(new URL('owner-process.ts', import.meta.url));
    const flags = ['--experimental-transform-types', '--conditions=@soma/source'];
    const owner = spawn(process.execPath, [...flags, script, TOKEN], {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const [url] = (await once(owner.stdout, 'data')) as [Buffer];
    expect(url.toString()).toBe('https://hooks.example.com');
    expect(await cloudflared.running()).toHaveLength(1);

    owner.kill('SIGKILL');

    await untilNoneRuns();
  });

  it('passes to another pod when the lease of a dead one has ended', async () => {
    const lease = (seconds: number): Promise<unknown> =>
      servers.database.execute(
        `INSERT INTO catalog.tunnel_leases (owner, provider, started_by, expires_at)
         VALUES ($1, 'ngrok', 'ann', clock_timestamp() + make_interval(secs => $2))
         ON CONFLICT (only_one) DO UPDATE SET expires_at = excluded.expires_at`,
        [randomUUID(), seconds],
      );

    await lease(60);
    expect((await start()).status).toBe(409);
    expect(await status()).toMatchObject({ state: 'starting', provider: 'ngrok' });
    await lease(-1);
    expect(await status()).toMatchObject({ state: 'stopped' });
    expect((await start()).status).toBe(200);
  });

  it('closes when another pod has got its lease', async () => {
    await start();
    await servers.database.execute('UPDATE catalog.tunnel_leases SET owner = $1', [randomUUID()]);

    await untilNoneRuns();

    await servers.database.execute('DELETE FROM catalog.tunnel_leases');
  });

  it('closes when the database hangs, before another pod may open one', async () => {
    await start();
    const lock = servers.database
      .execute(
        'WITH held AS (SELECT owner FROM catalog.tunnel_leases FOR UPDATE) SELECT pg_sleep(60) FROM held',
      )
      .catch(String);

    await until(async () => (await cloudflared.running()).length === 0, 30_000);

    await servers.database.execute(
      "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'WITH held%'",
    );
    expect(await lock).toContain('canceling');
  });

  it('is gone for everybody when its program ends by itself', async () => {
    await start();
    const [pid = 0] = await cloudflared.running();

    process.kill(pid, 'SIGKILL');

    await until(async () => {
      const { state } = (await status(other)) as { state: string };
      return state === 'stopped';
    });
  });

  it('ends with its pod in order', async () => {
    const third = await startCatalog(servers, ON);
    expect((await start(third)).status).toBe(200);

    await third[Symbol.asyncDispose]();

    expect(await cloudflared.running()).toEqual([]);
    expect(await status()).toMatchObject({ state: 'stopped' });
  });

  it.each([
    ['refuses', /exit code 1: .*Invalid tunnel secret/],
    ['has no hostname', /no public hostname/],
  ] as const)(
    'says why it does not open, and leaves nothing, when cloudflared %s',
    async (mode, why) => {
      await cloudflared.behave(mode);

      const { status: code, body } = await start();

      expect({ code, problem: body['code'] }).toEqual({ code: 502, problem: 'tunnel_failed' });
      expect(body['detail']).toMatch(why);
      expect(JSON.stringify(body)).not.toContain(TOKEN);
      expect(await status()).toMatchObject({ state: 'stopped' });
      expect(await cloudflared.running()).toEqual([]);
    },
  );

  it('can be stopped while it is opened', async () => {
    await cloudflared.behave('does not connect');
    const starting = start();
    await until(async () => (await cloudflared.running()).length > 0);

    const stopped = await stop(other);

    expect(stopped.body).toMatchObject({ state: 'stopped' });
    expect((await starting).status).toBe(502);
    await untilNoneRuns();
  });

  it('is not opened by a provider without credentials', async () => {
    expect(await start(pod, 'ngrok')).toMatchObject({
      status: 422,
      body: { code: 'tunnel_provider_not_configured' },
    });
    expect((await start(pod, 'fax')).status).toBe(400);
  });

  it('fails with a sentence when ngrok is not reached', async () => {
    const ngrok = ngrokProvider({
      authtoken: new Secret('canary-of-ngrok'),
      targetUrl: 'http://localhost:8010',
      // Nobody listens there.
      server: '127.0.0.1:1',
    });

    await expect(ngrok.open(AbortSignal.timeout(60_000))).rejects.toThrow(
      /^ngrok refused to open a tunnel: (?!.*canary)/,
    );
  });

  it('is not there unless it is turned on', async () => {
    await using plain = await startCatalog(servers);

    expect((await start(plain)).status).toBe(404);
    expect((await stop(plain)).status).toBe(404);
    expect((await plain.send('GET', `${TUNNEL}/status`, OPERATOR)).status).toBe(404);
  });

  it.each([
    [{ CLOUDFLARE_TUNNEL_ID: '' }, 'must be set together'],
    [{ CLOUDFLARE_TUNNEL_ID: randomUUID() }, 'is not the tunnel'],
  ])('keeps a pod from starting with %j', async (settings, fault) => {
    await expect(startCatalog(servers, { ...ON, ...settings })).rejects.toThrow(fault);
  });
});
