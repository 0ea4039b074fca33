import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import Provider, { type Configuration } from 'oidc-provider';
import { startHttpServer, type HttpServer } from '@soma/testing';
import { API_BASE_URL } from '../browser/spec-support.ts';

const CALLBACK = `${API_BASE_URL}/api/v1/oauth/callback`;
/** Who the catalog is there. */
export const CLIENT_ID = 'soma';

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
  private http!: HttpServer;
  provider!: Provider;

  static async start(options: ProviderOptions = {}): Promise<TestProvider> {
    const started = new TestProvider();
    started.http = await startHttpServer();
    started.url = started.http.url;
    started.provider = new Provider(started.url, started.configuration(options));
    started.listen(options);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.http[Symbol.asyncDispose]();
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
    this.http.server.on('request', (request, response) => {
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

function newRsaKey(): object {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'RS256', use: 'sig' };
}
