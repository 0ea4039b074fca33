import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isMotoInstalled, startMoto } from '@soma/testing';
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

  const tokenOf = async ({ service }: TestCatalog, name: string): Promise<unknown> => {
    const resolve = service.get(ResolveConnection, { strict: false });
    const lease = await resolve.execute('acme', { name, purpose: 'tool' });
    return lease.credentials['token'];
  };

  async function expectToKeepCredentials(settings: Record<string, string>): Promise<void> {
    await using catalog = await startCatalog(servers, settings);
    const name = `c-${randomUUID()}`;
    const body = { name, type: 'github', fields: { token: 'first' } };
    expect((await catalog.send('POST', PATH, { body })).status).toBe(201);
    expect(await tokenOf(catalog, name)).toBe('first');

    const change = { body: { fields: { token: 'second' } } };
    const found = await catalog.send('GET', `${PATH}/${name}`);
    const headers = { 'if-match': found.headers.get('etag') ?? '' };
    const changed = await catalog.send('PATCH', `${PATH}/${name}`, { ...change, headers });
    expect(changed.status).toBe(200);
    expect(await tokenOf(catalog, name)).toBe('second');

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

  (isMotoInstalled() ? it : it.skip)('in AWS Secrets Manager', async () => {
    await using moto = await startMoto();
    const variables = { ...AWS, AWS_ENDPOINT_URL_SECRETS_MANAGER: moto.url };
    Object.assign(process.env, variables);
    await expectToKeepCredentials({ [BACKEND]: 'secret_manager_cloud_a' });
    for (const name of Object.keys(variables)) Reflect.deleteProperty(process.env, name);
  });

  it('in variables, which no request changes', async () => {
    await using catalog = await startCatalog(servers, { [BACKEND]: 'env_var' });
    const body = { name: `c-${randomUUID()}`, type: 'github', fields: { token: 'canary' } };
    const answer = await catalog.send('POST', PATH, { body });

    expect(answer).toMatchObject({ status: 409, body: { code: 'secret_backend_read_only' } });
    expect(JSON.stringify(answer.body)).not.toContain('canary');
  });
});
