import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AwsSecrets, type SecretLocation } from '@soma/secrets';
import { isMotoInstalled, startMoto, startTcpProxy, type TcpProxy, until } from '@soma/testing';
import { ResolveConnection } from '../connections/resolve-connection.ts';
import {
  type CatalogServers,
  createCatalogServers,
  startCatalog,
  type TestCatalog,
} from '../spec-support.ts';

const PATH = '/api/v1/connections';
const BACKEND = 'INTEGRATIONS_SECRET_BACKEND_BACKEND_TYPE';

const address = process.env['VAULT_ADDR'] ?? '';
const isVaultThere = await fetch(`${address}/v1/sys/health`).then(
  () => process.env['VAULT_TOKEN'] !== undefined,
  () => false,
);
if (!isVaultThere) {
  process.stderr.write(
    '\nSKIPPED: connections whose credentials are in Vault. Set VAULT_ADDR and VAULT_TOKEN (of a development server) to test them.\n\n',
  );
}
/** Where AWS's client looks, and as whom. */
const AWS = { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };

describe('connections whose credentials are kept elsewhere', () => {
  const running = new AsyncDisposableStack();
  let servers: CatalogServers;

  beforeAll(async () => {
    servers = await createCatalogServers(running);
  });
  afterAll(() => running.disposeAsync());

  const leaseOf = async (
    { service }: TestCatalog,
    name: string,
  ): Promise<Readonly<Record<string, string>>> => {
    const worker = { tenant_id: 'acme', subject: 'worker' };
    const resolve = service.get(ResolveConnection, { strict: false });
    const { credentials } = await resolve.execute(worker, { name, purpose: 'tool' });
    return credentials;
  };

  async function expectToKeepCredentials(settings: Record<string, string>): Promise<void> {
    await using catalog = await startCatalog(servers, settings);
    const name = `c-${randomUUID()}`;
    const body = { name, type: 'github', fields: { token: 'first' } };
    expect((await catalog.send('POST', PATH, { body })).status).toBe(201);
    expect(await leaseOf(catalog, name)).toEqual({ token: 'first' });

    const change = { body: { fields: { token: 'second' } } };
    const found = await catalog.send('GET', `${PATH}/${name}`);
    const headers = { 'if-match': found.headers.get('etag') ?? '' };
    const changed = await catalog.send('PATCH', `${PATH}/${name}`, { ...change, headers });
    expect(changed.status).toBe(200);
    expect(await leaseOf(catalog, name)).toEqual({ token: 'second' });

    expect(await servers.database.execute('SELECT FROM catalog.secrets')).toEqual([]);
    expect((await catalog.send('DELETE', `${PATH}/${name}`)).status).toBe(204);
  }

  (isVaultThere ? it : it.skip)('in Vault', () =>
    expectToKeepCredentials({
      [BACKEND]: 'secret_manager_vault',
      VAULT_ADDR: address,
      VAULT_TOKEN: process.env['VAULT_TOKEN'] ?? '',
    }),
  );

  (isMotoInstalled() ? describe : describe.skip)('in AWS Secrets Manager', () => {
    const moto = new AsyncDisposableStack();
    let proxy: TcpProxy;
    let aws: AwsSecrets;

    beforeAll(async () => {
      const { port, url } = moto.use(await startMoto());
      proxy = moto.use(await startTcpProxy(port));
      const endpoint = `http://127.0.0.1:${proxy.port}`;
      Object.assign(process.env, { ...AWS, AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoint });
      aws = new AwsSecrets({ endpoint: url });
    });
    afterAll(async () => {
      for (const name of [...Object.keys(AWS), 'AWS_ENDPOINT_URL_SECRETS_MANAGER']) {
        Reflect.deleteProperty(process.env, name);
      }
      await moto.disposeAsync();
    });

    const start = (): Promise<TestCatalog> =>
      startCatalog(servers, { [BACKEND]: 'secret_manager_cloud_a' });
    const body = { name: 'kept', type: 'github', fields: { token: 'first' } };
    const toForget = (): Promise<Record<string, unknown>[]> =>
      servers.database.execute(
        'SELECT connection_id, due_at > clock_timestamp() AS waits FROM catalog.credentials_to_forget',
      );
    const forgetNow = (): Promise<unknown> =>
      servers.database.execute('UPDATE catalog.credentials_to_forget SET due_at = now()');
    const tokenAt = ({ connection_id }: Record<string, unknown>): SecretLocation => ({
      ...{ tenantId: 'acme', connection: String(connection_id), field: 'token' },
    });
    const untilForgotten = (): Promise<true> => until(async () => (await toForget()).length === 0);

    it('are exchanged and used', () =>
      expectToKeepCredentials({ [BACKEND]: 'secret_manager_cloud_a' }));

    it('are deleted once AWS is back, by whichever pod is there then', async () => {
      await using stack = new AsyncDisposableStack();
      const catalog = stack.use(await start());
      expect((await catalog.send('POST', PATH, { body })).status).toBe(201);
      const [row = {}] = await servers.database.execute(
        "SELECT connection_id FROM catalog.connections WHERE name = 'kept'",
      );

      proxy.cut();
      expect((await catalog.send('DELETE', `${PATH}/kept`)).status).toBe(204);
      // Nobody could delete it; it is tried again later.
      await until(async () => (await toForget()).some(({ waits }) => waits));
      await stack.disposeAsync();
      proxy.restore();
      expect(await aws.read(tokenAt(row))).toBeDefined();

      await using next = await start();
      expect((await next.send('GET', `${PATH}/kept`)).status).toBe(404);
      await forgetNow();
      await untilForgotten();
      expect(await aws.read(tokenAt(row))).toBeUndefined();
    });

    it('are deleted where no connection came to have them', async () => {
      await using catalog = await start();
      const create = (): ReturnType<TestCatalog['send']> => catalog.send('POST', PATH, { body });
      // Both write before either commits.
      const answers = await Promise.all([create(), create()]);
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
      const [lost = {}] = await toForget();
      expect((await aws.read(tokenAt(lost)))?.reveal()).toBe('first');

      await forgetNow();
      await untilForgotten();
      expect(await aws.read(tokenAt(lost))).toBeUndefined();
      expect(await leaseOf(catalog, 'kept')).toEqual({ token: 'first' });

      // Nothing is written for a name that is known to be taken.
      expect((await create()).status).toBe(409);
      expect(await toForget()).toEqual([]);
    });

    it('hold up nobody while AWS hangs, and one of many changes counts', async () => {
      await using catalog = await start();
      const change = { body: { fields: { token: 'second' } } };
      proxy.delay(10_000);
      const changes = Array.from({ length: 12 }, () =>
        catalog.send('PATCH', `${PATH}/kept`, change),
      );
      const first = await Promise.race([...changes, catalog.send('GET', `${PATH}/kept`)]);
      expect(first.body['version']).toBe(1);
      proxy.cut();
      proxy.delay(0);
      proxy.restore();

      const statuses = (await Promise.all(changes)).map(({ status }) => status);
      expect(statuses.toSorted()).toEqual([200, ...Array.from({ length: 11 }, () => 412)]);
      expect(await leaseOf(catalog, 'kept')).toEqual({ token: 'second' });
      expect(await toForget()).toEqual([]);
    });
  });

  it('in variables, which no request changes', async () => {
    await using catalog = await startCatalog(servers, { [BACKEND]: 'env_var' });
    const body = { name: `c-${randomUUID()}`, type: 'github', fields: { token: 'canary' } };
    const answer = await catalog.send('POST', PATH, { body });

    expect(answer).toMatchObject({ status: 409, body: { code: 'secret_backend_read_only' } });
    expect(JSON.stringify(answer.body)).not.toContain('canary');

    const [variable = ''] = /SOMA_SECRET__\w+/.exec(String(answer.body['detail'])) ?? [];
    const without = { ...body, type: 'anthropic', fields: {} };
    const missing = await catalog.send('POST', PATH, { body: without });
    expect(missing).toMatchObject({ status: 400 });

    const given = variable.replace('TOKEN', 'API_KEY');
    process.env[given] = 'of the operator';
    const created = await catalog.send('POST', PATH, { body: without });
    const path = `${PATH}/${body.name}`;
    const shown = { credentials: { api_key: { is_set: true, changed_at: null } } };
    expect(created).toMatchObject({ status: 201, body: shown });
    expect(await catalog.send('GET', path)).toMatchObject({ body: shown });
    expect(await leaseOf(catalog, body.name)).toEqual({ api_key: 'of the operator' });

    const headers = { 'if-match': created.headers.get('etag') ?? '' };
    const change = { headers, body: { rate_limit_rpm: 7 } };
    expect(await catalog.send('PATCH', path, change)).toMatchObject({ status: 200, body: shown });
    const as = { tenant: 'acme', subject: 'ann', role: 'owner', amr: ['pwd', 'mfa'] } as const;
    const revealed = await catalog.send('GET', `${path}/secrets/api_key`, { as });
    expect(revealed.body).toMatchObject({ value: 'of the operator' });
    expect((await catalog.send('DELETE', path)).status).toBe(204);
    Reflect.deleteProperty(process.env, given);
  });
});
