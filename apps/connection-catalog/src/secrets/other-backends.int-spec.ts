import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { AwsSecrets, type SecretLocation } from '@soma/secrets';
import { isMotoInstalled, startMoto, startTcpProxy, type TcpProxy, until } from '@soma/testing';
import { ResolveConnection } from '../connections/resolve-connection.ts';
import { startTokenEndpoint } from '../oauth/servers/spec-support.ts';
import { addConnection, OAUTH_SETTINGS, tokenOf } from '../oauth/spec-support.ts';
import {
  type CatalogServers,
  createCatalogServers,
  startCatalog,
  type TestCatalog,
} from '../spec-support.ts';

const PATH = '/api/v1/connections';
const INSTALL = '/api/v1/integrations/mcp/catalog/install';
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

  async function expectToKeepCredentials(catalog: TestCatalog): Promise<void> {
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

  (isVaultThere ? it : it.skip)('in Vault', async () => {
    await using catalog = await startCatalog(servers, {
      [BACKEND]: 'secret_manager_vault',
      VAULT_ADDR: address,
      VAULT_TOKEN: process.env['VAULT_TOKEN'] ?? '',
    });
    await expectToKeepCredentials(catalog);
  });

  (isMotoInstalled() ? describe : describe.skip)('in AWS Secrets Manager', () => {
    const moto = new AsyncDisposableStack();
    let url: string;
    let proxy: TcpProxy;
    let aws: AwsSecrets;
    let catalog: TestCatalog;

    beforeAll(async () => {
      const server = moto.use(await startMoto());
      ({ url } = server);
      proxy = moto.use(await startTcpProxy(server.port));
      const endpoint = `http://127.0.0.1:${proxy.port}`;
      Object.assign(process.env, { ...AWS, AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoint });
      aws = new AwsSecrets({ endpoint: url });
      const settings = { ...OAUTH_SETTINGS, [BACKEND]: 'secret_manager_cloud_a' };
      catalog = moto.use(await startCatalog(servers, settings));
    });
    afterAll(async () => {
      await moto.disposeAsync();
      for (const name of [...Object.keys(AWS), 'AWS_ENDPOINT_URL_SECRETS_MANAGER']) {
        Reflect.deleteProperty(process.env, name);
      }
    });

    /** Has what was held back come to nothing; from then on AWS answers. */
    const recover = (): void => {
      proxy.cut();
      proxy.delay(0);
      proxy.restore();
    };
    const body = { name: 'kept', type: 'github', fields: { token: 'first' } };
    const change = { body: { fields: { token: 'second' } } };
    const countToForget = async (): Promise<number> =>
      (await servers.database.execute('SELECT FROM catalog.credentials_to_forget')).length;
    const untilForgotten = (): Promise<true> => until(async () => (await countToForget()) === 0);
    /** Of a credential that somebody was about to write, and did not come to commit. */
    const forget = ({ connection, field }: SecretLocation): Promise<unknown> =>
      servers.database.execute(
        `INSERT INTO catalog.credentials_to_forget VALUES ('acme', $1, $2, now())`,
        [connection, field],
      );
    const at = (connection: string, field = 'token'): SecretLocation => ({
      ...{ tenantId: 'acme', connection, field },
    });
    const idOfKept = async (): Promise<string> => {
      const [row = {}] = await servers.database.execute(
        `SELECT connection_id FROM catalog.connections WHERE name = 'kept'`,
      );
      return String(row['connection_id']);
    };
    /** As AWS lists them, to whoever is anybody. */
    async function countSecrets(): Promise<number> {
      const answer = await fetch(url, {
        method: 'POST',
        headers: {
          'x-amz-target': 'secretsmanager.ListSecrets',
          'content-type': 'application/x-amz-json-1.1',
          authorization: 'AWS4-HMAC-SHA256 Credential=a/20260101/eu-central-1/secretsmanager/aws4',
        },
        body: '{}',
      });
      return ((await answer.json()) as { SecretList: unknown[] }).SecretList.length;
    }

    it('are exchanged and used', () => expectToKeepCredentials(catalog));

    it('are deleted where no connection came to have them', async () => {
      await untilForgotten();
      const before = await countSecrets();
      const create = (): ReturnType<TestCatalog['send']> => catalog.send('POST', PATH, { body });
      // Both write before either commits.
      const answers = await Promise.all([create(), create()]);
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
      await untilForgotten();
      expect(await countSecrets()).toBe(before + 1);
      expect(await leaseOf(catalog, 'kept')).toEqual({ token: 'first' });

      // By a pod that is gone.
      const left = at(randomUUID());
      await aws.write(left, new Secret('left'));
      await forget(left);
      await untilForgotten();
      expect(await aws.read(left)).toBeUndefined();

      // Nothing is written for a name that is known to be taken.
      expect((await create()).status).toBe(409);
      expect(await countSecrets()).toBe(before + 1);
    });

    it('hold up nobody while AWS hangs, and one of many changes is written and counts', async () => {
      proxy.delay(10_000);
      const statuses: number[] = [];
      const changes = Array.from({ length: 12 }, async () => {
        statuses.push((await catalog.send('PATCH', `${PATH}/kept`, change)).status);
      });
      await until(() => Promise.resolve(statuses.length === 11));
      const found = await catalog.send('GET', `${PATH}/kept`);
      expect(found.body['version']).toBe(1);
      recover();

      await Promise.all(changes);
      expect(statuses).toEqual([...Array.from({ length: 11 }, () => 412), 200]);
      expect(await leaseOf(catalog, 'kept')).toEqual({ token: 'second' });
      const id = await idOfKept();
      // A backend keeps so many versions: those of refused changes would drive out the one that counts.
      expect((await aws.read(at(id), 2))?.reveal()).toBe('second');
      expect(await aws.read(at(id), 3)).toBeUndefined();
    });

    it('are changed by the next one after a change that could not be written', async () => {
      proxy.cut();
      const failed = await catalog.send('PATCH', `${PATH}/kept`, change);
      proxy.restore();

      expect(failed.status).toBeGreaterThanOrEqual(500);
      const next = await catalog.send('PATCH', `${PATH}/kept`, change);
      expect(next.status).toBe(200);
    });

    it('hold up nobody while tokens are stored, which go unless an authorisation has them', async () => {
      const endpoint = moto.use(await startTokenEndpoint());
      const fields = { client_id: 'soma', token_url: endpoint.url };
      // More than there are connections to the database.
      const names = Array.from({ length: 12 }, (_each, index) => `authorised-${index}`);
      const [kept = '', gone = ''] = await Promise.all(
        names.map((name) => addConnection({ servers, catalog }, { name, fields })),
      );
      proxy.delay(10_000);
      const started = names.map((connection_name) => {
        const grant = { connection_name, grant_type: 'client_credentials' };
        return catalog.send('POST', '/api/v1/oauth/initiate', { body: grant });
      });
      await until(async () => (await countToForget()) === names.length);
      const removed = catalog.send('DELETE', `${PATH}/authorised-1`);
      expect((await Promise.race([...started, removed])).status).toBe(204);
      recover();

      const statuses = (await Promise.all(started)).map(({ status }) => status);
      expect(statuses.filter((status) => status === 404)).toHaveLength(1);
      expect(statuses[1]).toBe(404);
      await untilForgotten();
      expect(await aws.read(at(gone, 'oauth_tokens'))).toBeUndefined();
      await forget(at(kept, 'oauth_tokens'));
      await untilForgotten();
      expect(endpoint.given).toContain(await tokenOf(catalog, kept));
    });

    it('are deleted once AWS is back', async () => {
      const id = await idOfKept();
      proxy.cut();
      expect((await catalog.send('DELETE', `${PATH}/kept`)).status).toBe(204);
      expect((await catalog.send('GET', `${PATH}/kept`)).status).toBe(404);
      expect(await aws.read(at(id))).toBeDefined();

      proxy.restore();
      await untilForgotten();
      expect(await aws.read(at(id))).toBeUndefined();
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

    // Whoever asks which credentials are set hears the same: a server of the catalog has them.
    process.env['SOMA_SECRET__ACME__HUB__TOKEN'] = 'github_pat_1';
    const install = { catalog_entry_id: 'github', connection_name: 'hub' };
    await catalog.send('POST', PATH, { body: { name: 'hub', type: 'github', fields: {} } });
    const entry = await catalog.send('POST', INSTALL, { body: install });
    Reflect.deleteProperty(process.env, 'SOMA_SECRET__ACME__HUB__TOKEN');
    expect(entry).toMatchObject({ status: 201, body: { status: 'ready' } });

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
