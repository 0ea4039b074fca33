import { randomUUID } from 'node:crypto';
import { newIdentifier, Secret } from '@soma/kernel';
import { ConnectionSecrets } from '../secrets/connection-secrets.ts';
import type { CatalogServers, TestAnswer, TestCaller, TestCatalog } from '../spec-support.ts';
import { API_BASE_URL, type TestBrowser } from './browser/spec-support.ts';
import { AccessTokens } from './grants/access-tokens.ts';
import { CLIENT_ID, type TestProvider } from './provider/spec-support.ts';

/** The settings of a catalog whose providers run on this machine. */
export const OAUTH_SETTINGS = { API_BASE_URL, OUTBOUND_ALLOWED_HOSTS: '127.0.0.1' };

/** A connection of type `oauth_app` at a provider. */
export interface TestConnection {
  tenant?: string;
  name: string;
  type?: string;
  fields: Record<string, unknown>;
  secret?: string;
}

/** Puts a connection into the database, with its client's secret in the backend. */
export async function addConnection(
  { servers, catalog }: { servers: CatalogServers; catalog: TestCatalog },
  { tenant = 'acme', name, type = 'oauth_app', fields, secret }: TestConnection,
): Promise<string> {
  const id = newIdentifier();
  const at = { tenantId: tenant, connection: id, field: 'client_secret' };
  const { backend } = catalog.service.get(ConnectionSecrets, { strict: false });
  const version = secret === undefined ? undefined : await backend.write(at, new Secret(secret));
  const credentials = { ...(version !== undefined && { client_secret: { version } }) };
  await servers.database.execute(
    `INSERT INTO catalog.connections
       (tenant_id, connection_id, name, type, fields, credentials, created_by)
     VALUES ($1, $2, $3, $4, $5, $6, 'test')`,
    [tenant, id, name, type, JSON.stringify(fields), JSON.stringify(credentials)],
  );
  return id;
}

/** A connection to a {@link TestProvider}, found by its issuer. */
export function connectionTo(
  provider: TestProvider,
  change: Partial<TestConnection> = {},
): TestConnection {
  return {
    name: `c-${randomUUID()}`,
    secret: provider.clientSecret,
    ...change,
    fields: {
      ...{ client_id: CLIENT_ID, issuer: provider.url, scopes: ['openid', 'mail'] },
      ...change.fields,
    },
  };
}

/** Starts an authorisation in a browser, and keeps its cookie there. */
export async function initiate(
  { catalog, browser, as }: { catalog: TestCatalog; browser: TestBrowser; as?: TestCaller },
  body: Record<string, unknown>,
): Promise<TestAnswer> {
  const request = { body, ...(as && { as }) };
  const answer = await catalog.send('POST', '/api/v1/oauth/initiate', request);
  browser.keep(API_BASE_URL, answer.headers);
  return answer;
}

/** The token that a pod hands out for a connection. */
export async function tokenOf(
  catalog: TestCatalog,
  connection_id: string,
  tenant_id = 'acme',
): Promise<string> {
  const tokens = catalog.service.get(AccessTokens, { strict: false });
  const { token } = await tokens.find({ tenant_id, connection_id });
  return token.reveal();
}
