import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { newIdentifier, Secret } from '@soma/kernel';
import Provider, { type Configuration } from 'oidc-provider';
import { ConnectionSecrets } from '../secrets/connection-secrets.ts';
import type { CatalogServers, TestAnswer, TestCaller, TestCatalog } from '../spec-support.ts';
import { AccessTokens } from './grants/access-tokens.ts';

/** Where browsers reach the catalog, as providers know it. Nothing listens there. */
const API_BASE_URL = 'https://soma.example';
const CALLBACK = `${API_BASE_URL}/api/v1/oauth/callback`;
const CLIENT_ID = 'soma';

/** The settings of a catalog whose providers run on this machine. */
export const OAUTH_SETTINGS = { API_BASE_URL, OUTBOUND_ALLOWED_HOSTS: '127.0.0.1' };

interface ProviderOptions {
  accessTokenSeconds?: number;
  /** How long a refresh token that was used still works. Default: not at all. */
  graceMs?: number;
}

/** A real OAuth 2.1 and OpenID provider that rotates refresh tokens. */
export class TestProvider implements AsyncDisposable {
  /** What was asked for at the token endpoint, in its order, with the answer. */
  readonly asked: { grantType: string; at: number; error?: string }[] = [];
  /** For which resources tokens were asked (RFC 8707). */
  readonly resources: string[] = [];
  /** How many clients registered by themselves. */
  registered = 0;
  readonly clientSecret = randomBytes(24).toString('base64url');
  url = '';
  private server!: Server;
  provider!: Provider;

  static async start(options: ProviderOptions = {}): Promise<TestProvider> {
    const started = new TestProvider();
    started.server = createServer().listen(0, '127.0.0.1');
    await once(started.server, 'listening');
    started.url = `http://127.0.0.1:${(started.server.address() as AddressInfo).port}`;
    started.provider = new Provider(started.url, started.configuration(options));
    started.listen(options);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  /** How often a grant was asked for. */
  count(grantType: string): number {
    return this.asked.filter((each) => each.grantType === grantType).length;
  }

  /** As somebody does who enters a code and agrees. */
  async approve(userCode: string): Promise<void> {
    const code = await this.provider.DeviceCode.findByUserCode(userCode.replaceAll('-', ''), {
      ignoreExpiration: true,
    });
    if (code === undefined) throw new Error('There is no such code.');
    const grant = new this.provider.Grant({ clientId: CLIENT_ID, accountId: 'ann' });
    grant.addOIDCScope('openid mail');
    const approved = { accountId: 'ann', authTime: Math.floor(Date.now() / 1000), claims: {} };
    Object.assign(code, approved, {
      grantId: await grant.save(),
      scope: 'openid mail',
      expiresWithSession: false,
    });
    await code.save();
  }

  /** As if the code had expired long ago. */
  async forget(userCode: string): Promise<void> {
    const found = await this.provider.DeviceCode.findByUserCode(userCode.replaceAll('-', ''), {
      ignoreExpiration: true,
    });
    await found?.destroy();
  }

  /** As somebody does who takes back there what a token came of. */
  async revokeAll(token: string): Promise<void> {
    const found = await this.provider.AccessToken.find(token);
    await this.provider.RefreshToken.revokeByGrantId(found?.grantId ?? '');
  }

  /** Whether a token is good. */
  async knows(token: string): Promise<boolean> {
    return (await this.provider.AccessToken.find(token)) !== undefined;
  }

  private listen({ graceMs }: ProviderOptions): void {
    const { provider } = this;
    const serve = provider.callback();
    this.server.on('request', (request, response) => {
      if (request.url?.startsWith('/interaction/') === true) {
        const login = { accountId: 'ann' };
        void provider.interactionFinished(request, response, { login });
      } else {
        void serve(request, response);
      }
    });
    provider.on('grant.success', ({ oidc }) => {
      this.asked.push({ grantType: String(oidc.params?.['grant_type']), at: Date.now() });
    });
    provider.on('grant.error', ({ oidc }, { error }) => {
      this.asked.push({ grantType: String(oidc.params?.['grant_type']), at: Date.now(), error });
    });
    provider.on('registration_create.success', () => {
      this.registered++;
    });
    if (graceMs !== undefined) delayConsumption(provider, graceMs);
  }

  private configuration({ accessTokenSeconds = 3600 }: ProviderOptions): Configuration {
    const grant_types = [
      ...['authorization_code', 'refresh_token', 'client_credentials'],
      'urn:ietf:params:oauth:grant-type:device_code',
    ];
    return {
      clients: [
        {
          ...{ client_id: CLIENT_ID, client_secret: this.clientSecret, grant_types },
          redirect_uris: [CALLBACK],
        },
      ],
      scopes: ['openid', 'offline_access', 'mail'],
      cookies: { keys: [randomBytes(16).toString('hex')] },
      jwks: { keys: [newRsaKey()] },
      ttl: {
        ...{ Interaction: 600, Grant: 6000, Session: 6000, IdToken: 600, RefreshToken: 6000 },
        ...{ AccessToken: accessTokenSeconds, ClientCredentials: accessTokenSeconds },
        DeviceCode: 600,
      },
      pkce: { required: () => true },
      issueRefreshToken: () => true,
      rotateRefreshToken: () => true,
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        deviceFlow: { enabled: true },
        revocation: { enabled: true, allowedPolicy: () => true },
        registration: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: (_context, _client, oneOf) => oneOf ?? [],
          useGrantedResource: () => true,
          getResourceServerInfo: (_context, resource) => {
            this.resources.push(resource);
            return {
              ...{ scope: 'openid mail', audience: resource },
              ...{ accessTokenTTL: accessTokenSeconds, accessTokenFormat: 'opaque' },
            };
          },
        },
      },
      interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
      findAccount: (_context, subject) => ({
        accountId: subject,
        claims: () => ({ sub: subject }),
      }),
      loadExistingGrant: async ({ oidc }) => {
        const grant = new oidc.provider.Grant({
          clientId: oidc.client?.clientId ?? '',
          accountId: oidc.session?.accountId ?? '',
        });
        grant.addOIDCScope('openid mail');
        const resource = oidc.params?.['resource'];
        if (typeof resource === 'string') grant.addResourceScope(resource, 'mail');
        await grant.save();
        return grant;
      },
    };
  }
}

/** As providers do it that answer an old refresh token for a while. */
function delayConsumption(provider: Provider, graceMs: number): void {
  const { prototype } = provider.RefreshToken;
  const consume: unknown = Reflect.get(prototype, 'consume');
  if (typeof consume !== 'function') throw new Error('A refresh token cannot be consumed.');
  Object.assign(prototype, {
    consume(this: object) {
      setTimeout(() => void Reflect.apply(consume, this, []), graceMs).unref();
      return Promise.resolve();
    },
  });
}

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

/** A browser with cookies, which somebody uses who agrees to everything. */
export class TestBrowser {
  /** By origin: name and value. */
  private readonly cookies = new Map<string, Map<string, string>>();

  /** Keeps the cookies of an answer that came from Soma. */
  keep(origin: string, headers: Headers): void {
    const jar = this.cookies.get(origin) ?? new Map<string, string>();
    for (const cookie of headers.getSetCookie()) {
      const [name = '', value = ''] = (cookie.split(';')[0] ?? '').split('=');
      jar.set(name, value);
    }
    this.cookies.set(origin, jar);
  }

  cookiesFor(origin: string): string {
    const jar = this.cookies.get(origin) ?? new Map<string, string>();
    return [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** What its cookies hold. */
  values(): string[] {
    return [...this.cookies.values()].flatMap((jar) => [...jar.values()]);
  }

  /** Goes where a provider sends it, until it is sent back to Soma; the parameters of that. */
  async agree(authorizationUrl: string): Promise<URLSearchParams> {
    let at = new URL(authorizationUrl);
    while (at.origin !== API_BASE_URL) {
      const headers = { cookie: this.cookiesFor(at.origin) };
      const answer = await fetch(at, { redirect: 'manual', headers });
      this.keep(at.origin, answer.headers);
      const location = answer.headers.get('location');
      if (location === null) throw new Error(`${at.href}: ${await answer.text()}`);
      at = new URL(location, at);
    }
    return at.searchParams;
  }

  /** Brings the parameters to a pod of the catalog. */
  async comeBack(catalog: TestCatalog, parameters: URLSearchParams): Promise<[number, string]> {
    const headers = { cookie: this.cookiesFor(API_BASE_URL) };
    const answer = await fetch(`${catalog.url}/api/v1/oauth/callback?${parameters.toString()}`, {
      headers,
    });
    return [answer.status, await answer.text()];
  }
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

/** A server of a test. */
export interface TestServer extends AsyncDisposable {
  url: string;
}

interface ServerAnswer {
  status: number;
  type: string;
  body: string;
  headers?: Record<string, string>;
}

/** A server that answers by the path and the body of requests. */
export async function startServer(
  answer: (path: string, body: string) => ServerAnswer | Promise<ServerAnswer>,
): Promise<TestServer> {
  const server = createServer((request, response) => {
    void text(request).then(async (sent) => {
      const { status, type, body, headers } = await answer(request.url ?? '/', sent);
      response.writeHead(status, { ...headers, 'content-type': type }).end(body);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** GitHub on the wire: forms for who does not insist, and faults with status 200. */
export function startFormProvider(): Promise<TestServer> {
  return startServer((_path, sent) => {
    const isGood = new URLSearchParams(sent).get('code') === 'good';
    const tokens = { access_token: 'gho_1', scope: 'repo,gist', token_type: 'bearer' };
    const fault = { error: 'bad_verification_code', error_description: 'The code is incorrect.' };
    return {
      ...{ status: 200, type: 'application/x-www-form-urlencoded; charset=utf-8' },
      body: new URLSearchParams(isGood ? tokens : fault).toString(),
    };
  });
}

/** A token endpoint that gives every client a token, until it is told to answer otherwise. */
export interface TokenEndpoint extends TestServer {
  asked: number;
  answer: { status: number; headers?: Record<string, string>; error?: string } | undefined;
  /** The tokens, in their order. */
  given: string[];
  /** Those that were revoked at `/revoke`, which answers when it may. */
  revoked: string[];
  mayRevoke: Promise<unknown>;
}

export async function startTokenEndpoint(): Promise<TokenEndpoint> {
  const server = await startServer(async (path, sent) => {
    if (path === '/revoke') {
      endpoint.revoked.push(new URLSearchParams(sent).get('token') ?? '');
      await endpoint.mayRevoke;
      return { status: 200, type: 'text/plain', body: '' };
    }
    endpoint.asked++;
    const { status, headers = {}, error } = endpoint.answer ?? { status: 200 };
    const tokens = { access_token: randomUUID(), token_type: 'bearer', expires_in: 3600 };
    endpoint.given.push(tokens.access_token);
    const body = JSON.stringify(error === undefined ? tokens : { error });
    return { status, headers, type: 'application/json', body };
  });
  const own = { asked: 0, answer: undefined, given: [], revoked: [], mayRevoke: Promise.resolve() };
  const endpoint: TokenEndpoint = Object.assign(server, own);
  return endpoint;
}

/** An MCP server at `/mcp` that lets nobody in, and says whom it trusts (RFC 9728). */
export async function startGuardedServer(
  issuer: string,
  { resource }: { resource?: string } = {},
): Promise<TestServer> {
  const server: TestServer = await startServer((path) => {
    const own = resource ?? `${server.url}/mcp`;
    return path === '/.well-known/oauth-protected-resource/mcp'
      ? {
          ...{ status: 200, type: 'application/json' },
          body: JSON.stringify({
            ...{ resource: own, authorization_servers: [issuer], scopes_supported: ['mail'] },
          }),
        }
      : { status: path === '/mcp' ? 401 : 404, type: 'text/plain', body: '' };
  });
  return { ...server, url: `${server.url}/mcp` };
}

function newRsaKey(): object {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'RS256', use: 'sig' };
}
