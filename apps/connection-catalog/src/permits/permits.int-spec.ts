import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ServiceTokens } from '@soma/auth';
import { CatalogClient, ConnectionLimits } from '@soma/connections';
import type { Principal } from '@soma/contracts';
import { Secret, sleep } from '@soma/kernel';
import { RedisConnection } from '@soma/persistence';
import { startHttpServer, until } from '@soma/testing';
import {
  type CatalogServers,
  createCatalogServers,
  startCatalog,
  type TestCatalog,
} from '../spec-support.ts';

interface Asked {
  body?: object;
  tenant?: string;
  pod?: 0 | 1;
  signal?: AbortSignal;
}

/** Nobody answers there. */
const refuse = (): Promise<Response> => Promise.reject(new Error('unreachable'));

describe('permits to use a connection', () => {
  const running = new AsyncDisposableStack();
  let servers: CatalogServers;
  let pods: [TestCatalog, TestCatalog];
  let tokens: ServiceTokens;

  beforeAll(async () => {
    servers = await createCatalogServers(running);
    pods = [running.use(await startCatalog(servers)), running.use(await startCatalog(servers))];
    tokens = new ServiceTokens({
      tokenUrl: servers.issuer.tokenUrl,
      clientId: 'tool-executor',
      clientSecret: new Secret('secret'),
    });
  });
  afterAll(() => running.disposeAsync());

  async function connect(name: string, rate_limit_rpm: number | null): Promise<void> {
    const body = { name, type: 'brave_search', fields: { api_key: 'k' }, rate_limit_rpm };
    expect(await pods[0].send('POST', '/api/v1/connections', { body })).toMatchObject({
      status: 201,
    });
  }

  /** As another service, for a tenant. */
  async function ask(
    method: string,
    path: string,
    { body, tenant = 'acme', pod = 0, signal }: Asked = {},
  ): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
    const principal: Principal = { tenant_id: tenant, subject: 'tools', scopes: [] };
    const response = await fetch(`${pods[pod].url}/internal/v1/connections/${path}`, {
      method,
      ...(signal && { signal }),
      headers: {
        authorization: `Bearer ${(await tokens.tokenFor('connection-catalog')).reveal()}`,
        ...(await tokens.principalHeader('connection-catalog', principal)),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    return { status: response.status, headers: response.headers, body: parsed };
  }

  it("grants what the connection's own rate allows, over all pods", async () => {
    await connect('slow', 2);
    const take = (pod: 0 | 1): ReturnType<typeof ask> =>
      ask('POST', 'slow/permits', { body: { deadline_ms: 0 }, pod });
    const granted = [await take(0), await take(1)];
    for (const { body } of granted) {
      const given = await ask('DELETE', `slow/permits/${String(body['permit_id'])}`, { pod: 1 });
      expect(given.status).toBe(204);
    }
    const refused = await take(0);

    expect(granted.map(({ status }) => status)).toEqual([201, 201]);
    expect(refused).toMatchObject({ status: 429, body: { code: 'connection_rate_limited' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('grants no more at once than the far side can bear, and the next when one is back', async () => {
    await connect('busy', 1000);
    const take = (): ReturnType<typeof ask> =>
      ask('POST', 'busy/permits', { body: { deadline_ms: 0 } });
    const all = await Promise.all(Array.from({ length: 12 }, take));
    const granted = all.filter(({ status }) => status === 201);
    await ask('DELETE', `busy/permits/${String(granted[0]?.body['permit_id'])}`);

    expect(granted).toHaveLength(10);
    expect((await take()).status).toBe(201);
  });

  it('grants nothing to whoever has hung up while in line', async () => {
    await connect('left', 1000);
    const take = (): ReturnType<typeof ask> =>
      ask('POST', 'left/permits', { body: { deadline_ms: 0 } });
    const all = await Promise.all(Array.from({ length: 10 }, take));
    const leaving = new AbortController();
    const body = { deadline_ms: 30_000 };
    const left = ask('POST', 'left/permits', { body, signal: leaving.signal });
    const { client } = pods[0].service.get(RedisConnection, { strict: false });
    await until(async () => (await client.keys('permits:*:queue')).length > 0);

    leaving.abort();
    await expect(left).rejects.toThrow('aborted');
    await ask('DELETE', `left/permits/${String(all[0]?.body['permit_id'])}`);

    await until(async () => (await take()).status === 201);
  });

  it('has all pods wait for as long as the other side has said', async () => {
    await connect('paused', null);
    const paused = await ask('POST', 'paused/pauses', { body: { retry_after_ms: 60_000 } });
    const refused = await ask('POST', 'paused/permits', { body: { deadline_ms: 100 }, pod: 1 });

    expect([paused.status, refused.status]).toEqual([204, 429]);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30);
  });

  describe('as the client of services has requests wait', () => {
    const acme: Principal = { tenant_id: 'acme', subject: 'worker', scopes: [] };
    const clientAt = (pod: 0 | 1): CatalogClient => new CatalogClient(pods[pod].url, tokens);
    const held = (): Promise<string[]> => {
      const { client } = pods[0].service.get(RedisConnection, { strict: false });
      return client.keys('permits:*:held');
    };

    it('holds the place until the answer was read or is given up, and renews it', async () => {
      await connect('streams', 1000);
      const limits = new ConnectionLimits({
        takePermit: async (...wish) => ({
          ...(await clientAt(0).takePermit(...wish)),
          // So that it is renewed at once.
          expires_in: 0.15,
        }),
        renewPermit: (...permit) => {
          renewals++;
          return clientAt(1).renewPermit(...permit);
        },
        releasePermit: (...permit) => clientAt(1).releasePermit(...permit),
        pause: () => Promise.resolve(),
      });
      let renewals = 0;
      const leaving = new AbortController();
      const use = { principal: acme, name: 'streams', deadlineMs: 0, signal: leaving.signal };
      const before = (await held()).length;
      const stream = new TransformStream<Uint8Array, Uint8Array>();
      const open = await limits.fetch(use, () => Promise.resolve(new Response(stream.readable)));
      await limits.fetch(use, () => Promise.resolve(new Response('left unread')));
      await until(() => renewals > 1);
      expect(await held()).toHaveLength(before + 1);

      await stream.writable.close();
      expect(await open.text()).toBe('');
      leaving.abort();
      await expect(limits.fetch({ ...use, signal: undefined }, refuse)).rejects.toThrow(
        'unreachable',
      );
      await until(async () => (await held()).length === before);
      const renewed = renewals;
      await sleep(300);
      expect(renewals).toBe(renewed);
    });

    it.each([429, 503])('has all wait for as long as a %d says', async (status) => {
      const name = `asks-to-wait-${status}`;
      await connect(name, 1000);
      const server = await startHttpServer((_request, response) => {
        response.writeHead(status, { 'retry-after': '60' }).end();
      });
      running.use(server);
      const use = { principal: acme, name, deadlineMs: 0 };
      const [limits, others] = ([0, 1] as const).map((pod) => new ConnectionLimits(clientAt(pod)));
      const answer = await limits?.fetch(use, () => fetch(server.url));
      const late = others?.fetch(use, () => fetch(server.url));

      expect(answer?.status).toBe(status);
      await expect(late).rejects.toMatchObject({
        name: 'TransientError',
        retryAfterMs: expect.any(Number),
      });
    });
  });

  it("knows connections of the principal's tenant alone, and services alone know it (P6)", async () => {
    const body = { deadline_ms: 0 };

    expect((await ask('POST', 'slow/permits', { body, tenant: 'globex' })).status).toBe(404);
    const partner = await pods[0].send('POST', '/internal/v1/connections/slow/permits', { body });
    expect(partner.status).toBe(401);
  });
});
