import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ServiceTokens } from '@soma/auth';
import {
  CatalogClient,
  ConnectionLeases,
  connectionRequest,
  type OpenConnection,
} from '@soma/connections';
import type { ConnectionPurpose, Principal } from '@soma/contracts';
import { Secret } from '@soma/kernel';
import { ConfigUpdatesReader } from '@soma/messaging';
import { until } from '@soma/testing';
import {
  type CatalogServers,
  connectionTo,
  createCatalogServers,
  startCatalog,
  type TestCatalog,
} from '../spec-support.ts';

const PATH = '/api/v1/connections';
const WORKER: Principal = { subject: 'worker', tenant_id: 'acme', scopes: [] };

describe('connections as other services use them', () => {
  const running = new AsyncDisposableStack();
  let servers: CatalogServers;
  let catalog: TestCatalog;
  let client: CatalogClient;
  let leases: ConnectionLeases;

  beforeAll(async () => {
    servers = await createCatalogServers(running);
    catalog = running.use(await startCatalog(servers));
    const clientSecret = new Secret('of the worker');
    const tokens = new ServiceTokens({
      tokenUrl: servers.issuer.tokenUrl,
      clientId: 'conversation-worker',
      clientSecret,
    });
    client = new CatalogClient(catalog.url, tokens);
    const reader = new ConfigUpdatesReader(connectionTo(servers.kafka));
    leases = new ConnectionLeases(client, reader);
    running.defer(() => reader.onApplicationShutdown());
    reader.onApplicationBootstrap();
    await until(() => reader.isCaughtUp);
  });

  afterAll(() => running.disposeAsync());

  /** Connects an account under a name that no other test uses. */
  async function connect(fields: object, type = 'github', tenant = 'acme'): Promise<string> {
    const name = `c-${randomUUID()}`;
    const answer = await catalog.send('POST', PATH, {
      as: { tenant },
      body: { name, type, fields },
    });
    expect(answer.status).toBe(201);
    return name;
  }

  const lease = (name: string, purpose: ConnectionPurpose = 'tool'): Promise<OpenConnection> =>
    leases.find(WORKER, { name, purpose });

  const revealed = ({ credentials }: OpenConnection): object =>
    Object.fromEntries([...credentials].map(([field, value]) => [field, value.reveal()]));

  it('gives each purpose the credentials that are good for it, and no others', async () => {
    const name = await connect({ token: 't', webhook_secret: 'w', webhook_secret_previous: 'v' });

    expect(revealed(await lease(name, 'tool'))).toEqual({ token: 't' });
    expect(revealed(await lease(name, 'webhook'))).toEqual({
      webhook_secret: 'w',
      webhook_secret_previous: 'v',
    });
    expect(await lease(name)).toMatchObject({
      type: 'github',
      fields: { api_url: 'https://api.github.com' },
      rateLimitRpm: 60,
    });
  });

  it.each<[string, object, [string, string]]>([
    // A type of a file, whose paths are limited; and one that leads anywhere below its base URL.
    ['grafana', { token: 't' }, ['authorization', 'Bearer t']],
    ['generic_http', { api_key: 'k', header_name: 'X-Team' }, ['x-team', 'k']],
  ])(
    'says how to ask by HTTP, so that a service needs no code: %s',
    async (type, fields, header) => {
      const base_url = 'https://theirs.example/base';
      const connection = await lease(await connect({ base_url, ...fields }, type));
      const request = connectionRequest(connection, '/api/search?q=a');

      expect(request?.url.href).toBe(`${base_url}/api/search?q=a`);
      expect([...(request?.headers ?? [])]).toEqual([header]);
      const reach = (): unknown => connectionRequest(connection, '/admin');
      if (type === 'grafana') expect(reach).toThrow('/api/');
      else expect(reach()).toBeDefined();
    },
  );

  it('says of what does not speak HTTP that it does not', async () => {
    const smtp = { host: 'mail.example', port: 587, username: 'u', password: 'p' };

    expect((await lease(await connect(smtp, 'smtp'))).http).toBeNull();
  });

  it('holds a lease, and lets go of it within a second of a change', async () => {
    const name = await connect({ token: 'old' });
    // The word that it was made may come in between, and is a change like any other.
    await until(async () => (await lease(name)) === (await lease(name)));

    // A machine that freezes may be late for one of them; a lease that is let run out, for all.
    const tookMs: number[] = [];
    while (tookMs.length < 5 && tookMs.every((each) => each > 1_000)) {
      const token = `new-${tookMs.length}`;
      await catalog.send('PATCH', `${PATH}/${name}`, { body: { fields: { token } } });
      const changedAt = performance.now();
      await until(async () => (await lease(name)).credentials.get('token')?.reveal() === token);
      tookMs.push(performance.now() - changedAt);
    }
    expect(Math.min(...tookMs)).toBeLessThanOrEqual(1_000);
    await catalog.send('DELETE', `${PATH}/${name}`);
    await until(async () => {
      const outcome = await lease(name).then(
        () => undefined,
        (error: unknown) => error,
      );
      return outcome;
    });
    await expect(lease(name)).rejects.toMatchObject({ status: 404, code: 'connection_not_found' });
  });

  it.each([
    ['stripe', { api_key: 'k' }, 600],
    ['grafana', { base_url: 'https://theirs.example', token: 't' }, 120],
  ])('counts by the rate of the type: %s', async (type, fields, rateLimitRpm) => {
    expect(await lease(await connect(fields, type))).toMatchObject({ rateLimitRpm });
  });

  it('says of a type that is declared no more that it is gone', async () => {
    const name = await connect({ token: 't' });
    await servers.database.execute(
      `UPDATE catalog.connections SET type = 'retired' WHERE name = $1`,
      [name],
    );
    const change = { body: { fields: { token: 'new' } } };

    await expect(lease(name)).rejects.toMatchObject({ status: 422, code: 'connection_type_gone' });
    expect(await catalog.send('PATCH', `${PATH}/${name}`, change)).toMatchObject({
      ...{ status: 422, body: { code: 'connection_type_gone' } },
    });
    expect((await catalog.send('GET', `${PATH}/${name}`)).status).toBe(200);
    expect((await catalog.send('DELETE', `${PATH}/${name}`)).status).toBe(204);
  });

  it('resolves once for all that ask at the same time', async () => {
    const name = await connect({ token: 't' });
    const all = await Promise.all(Array.from({ length: 50 }, () => lease(name)));

    expect(new Set(all).size).toBe(1);
  });

  it('knows connections of the principal’s tenant alone (P6)', async () => {
    const name = await connect({ token: 't' }, 'github', 'globex');

    await expect(lease(name)).rejects.toMatchObject({ code: 'connection_not_found' });
  });

  it('is closed to whoever is no service (P7)', async () => {
    const name = await connect({ token: 't' });
    const body = { name, purpose: 'tool' };
    const resolve = (as: { tenant: string } | null): ReturnType<TestCatalog['send']> =>
      catalog.send('POST', '/internal/v1/connections/resolve', { as, body });

    expect((await resolve(null)).status).toBe(401);
    expect((await resolve({ tenant: 'acme' })).status).toBe(401);
  });

  it.each(['gateway', 'connection-catalog'])(
    'refuses a token that a partner bound to a key of their own, naming a principal for %s (P7)',
    async (audience) => {
      // As any client of the gateway can get one: its audience is the gateway.
      const tokens = new ServiceTokens({
        tokenUrl: servers.issuer.tokenUrl,
        clientId: 'partner',
        clientSecret: new Secret('theirs'),
      });
      const response = await fetch(`${catalog.url}/internal/v1/connections/resolve`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${(await tokens.tokenFor('gateway')).reveal()}`,
          ...(await tokens.principalHeader(audience, WORKER)),
        },
        body: JSON.stringify({ name: await connect({ token: 't' }), purpose: 'tool' }),
      });

      expect(response.status).toBe(401);
    },
  );

  describe('of models', () => {
    const MODELS = { base_url: 'https://models.example/v1' };
    const usagesOf = async (name: string): Promise<unknown> =>
      (await catalog.send('GET', `${PATH}/${name}`)).body['usages'];
    /** As if that much time had gone by since its models were asked for. */
    const age = (name: string, hours: number): Promise<unknown> =>
      servers.database.execute(
        `UPDATE catalog.connection_usages SET ends_at = ends_at - $2 * interval '1 hour'
          WHERE connection_id = (SELECT connection_id FROM catalog.connections WHERE name = $1)`,
        [name, hours],
      );
    const resolve = (name: string): Promise<unknown> =>
      client.resolve(WORKER, { name, purpose: 'model_provider' });

    it('are in use until a day after they were asked for last', async () => {
      const name = await connect(MODELS, 'openai_compatible');
      await Promise.all([resolve(name), resolve(name)]);
      const usages = [{ used_by: 'model_provider', id: 'worker', since: expect.any(String) }];
      expect(await usagesOf(name)).toEqual(usages);
      expect(await catalog.send('DELETE', `${PATH}/${name}`)).toMatchObject({
        status: 409,
        body: { code: 'connection_in_use' },
      });

      await age(name, 20);
      await resolve(name);
      await age(name, 20);
      expect(await usagesOf(name)).toEqual(usages);
      await age(name, 5);
      expect(await usagesOf(name)).toEqual([]);
      expect((await catalog.send('DELETE', `${PATH}/${name}`)).status).toBe(204);
    });

    it('is none where its type offers none', async () => {
      const name = await connect(MODELS, 'generic_http');

      await expect(resolve(name)).rejects.toMatchObject({
        ...{ status: 422, code: 'connection_without_models' },
        message: expect.stringContaining('openai_compatible'),
      });
      expect(await usagesOf(name)).toEqual([]);
    });
  });

  it('deletes nothing that something depends on, unless it is forced', async () => {
    const name = await connect({ token: 't' });
    const usage = { name, used_by: 'webhook_endpoint', id: 'orders/1' };
    await client.addUsage(WORKER, usage);
    await client.addUsage(WORKER, usage);
    const found = await catalog.send('GET', `${PATH}/${name}`);
    const refused = await catalog.send('DELETE', `${PATH}/${name}`);

    expect(found.body['usages']).toEqual([
      { used_by: 'webhook_endpoint', id: 'orders/1', since: expect.any(String) },
    ]);
    expect(refused).toMatchObject({ status: 409, body: { code: 'connection_in_use' } });
    expect(refused.body['detail']).toContain('webhook_endpoint orders/1');
    expect((await catalog.send('DELETE', `${PATH}/${name}?force=true`)).status).toBe(204);

    const other = await connect({ token: 't' });
    await client.addUsage(WORKER, { ...usage, name: other });
    await client.removeUsage(WORKER, { ...usage, name: other });
    expect((await catalog.send('DELETE', `${PATH}/${other}`)).status).toBe(204);
  });
});
