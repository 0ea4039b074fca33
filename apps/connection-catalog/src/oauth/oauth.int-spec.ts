import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CatalogServers,
  createCatalogServers,
  startCatalog,
  type TestAnswer,
  type TestCatalog,
} from '../spec-support.ts';
import { AccessTokens } from './grants/access-tokens.ts';
import {
  addConnection,
  connectionTo,
  initiate,
  OAUTH_SETTINGS,
  TestBrowser,
  type TestConnection,
  TestProvider,
} from './spec-support.ts';

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
  ): Promise<{ name: string; id: string }> {
    const connection = connectionTo(provider, change);
    const id = await addConnection({ servers, catalog }, connection);
    return { name: connection.name, id };
  }

  async function statusOf(name: string, tenant = 'acme'): Promise<TestAnswer> {
    return catalog.send('GET', `/api/v1/oauth/status/${name}`, { as: { tenant } });
  }

  async function tokenOf(id: string, tenant_id = 'acme'): Promise<string> {
    const tokens = catalog.service.get(AccessTokens, { strict: false });
    const { token } = await tokens.find({ tenant_id, connection_id: id });
    return token.reveal();
  }

  it('sends a browser to the provider and back, with PKCE and the issuer checked', async () => {
    const { name, id } = await connect();
    const browser = new TestBrowser();

    const started = await initiate(catalog, browser, { connection_name: name });
    const url = new URL(String(started.body['authorization_url']));
    const parameters = await browser.agree(url.href);
    const page = await browser.comeBack(catalog, parameters);

    expect(started.status).toBe(200);
    expect(url.searchParams.get('code_challenge_method')).toBe('S256');
    expect(parameters.get('iss')).toBe(provider.url);
    expect(page).toEqual([200, expect.stringContaining('Connected')]);
    expect((await statusOf(name)).body).toMatchObject({
      ...{ status: 'active', grant_type: 'authorization_code', refreshable: true, pending: null },
      scope: 'openid mail',
    });
    await expect(tokenOf(id)).resolves.toEqual(expect.any(String));
  });
});
