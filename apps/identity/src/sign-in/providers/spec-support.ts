import { generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { type IncomingMessage, type RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { jwtVerify } from 'jose';
import Provider from 'oidc-provider';
import { startHttpServer, type HttpServer } from '@soma/testing';
import type { OpenIdEndpoints, ProviderEndpoints } from './provider-endpoints.ts';

const MICROSOFT_TENANT_ID = '8c2f6a1e-6a0a-4f4e-9a56-0d4a4b1b2c3d';
const APPLE_TEAM = 'TEAM123456';
const APPLE_KEY_ID = 'KEY1234567';

/** By which claim a provider vouches for an address, where it is not that of OpenID Connect. */
const VOUCHES: Record<string, string> = { microsoft: 'xms_edov' };

/** Who is signed in at a provider. */
export interface Somebody {
  subject: string;
  email: string;
  email_verified?: boolean | string;
  name?: string;
}

/** The providers of a test, each on a port of its own: real OpenID providers, and one like GitHub. */
export class ProviderServers implements AsyncDisposable {
  private readonly running = new AsyncDisposableStack();
  /** Who is signed in there. */
  somebody: Somebody = newSomebody();
  /** How many codes were exchanged, by provider. */
  readonly exchanges: Record<string, number> = {};
  /** What GitHub's token endpoint answers instead of tokens. */
  gitHubFault: number | undefined;
  readonly settings: Record<string, string>;
  endpoints!: ProviderEndpoints;
  private readonly appleKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  constructor(private readonly publicUrl: string) {
    const client = (name: string) => ({
      [`${name}_CLIENT_ID`]: `${name.toLowerCase()}-client`,
      [`${name}_CLIENT_SECRET`]: randomBytes(24).toString('base64url'),
    });
    this.settings = {
      ...client('GITHUB'),
      ...client('GOOGLE'),
      ...client('MICROSOFT'),
      MICROSOFT_TENANT_ID,
      APPLE_CLIENT_ID: 'apple-client',
      APPLE_TEAM_ID: APPLE_TEAM,
      APPLE_KEY_ID,
      APPLE_PRIVATE_KEY: String(this.appleKey.privateKey.export({ type: 'pkcs8', format: 'pem' })),
    };
  }

  async start(): Promise<this> {
    const [google, microsoft, apple, github] = await Promise.all([
      this.startOpenId('google', ['openid', 'profile', 'email']),
      this.startOpenId('microsoft', ['openid', 'profile', 'email']),
      this.startOpenId('apple', ['openid', 'name', 'email']),
      this.startGitHub(),
    ]);
    this.endpoints = { google, apple, github, microsoft: () => microsoft };
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.running.disposeAsync();
  }

  private async startOpenId(name: string, scopes: string[]): Promise<OpenIdEndpoints> {
    const { server, url } = await this.listen();
    const provider = new Provider(url, {
      clients: [
        {
          client_id: `${name}-client`,
          client_secret: this.settings[`${name.toUpperCase()}_CLIENT_SECRET`] ?? 'signed',
          redirect_uris: [`${this.publicUrl}/api/auth/oauth/${name}/callback`],
          token_endpoint_auth_method: 'client_secret_post',
        },
      ],
      scopes,
      claims: { email: ['email', VOUCHES[name] ?? 'email_verified'], profile: ['name'] },
      conformIdTokenClaims: false,
      cookies: { keys: [randomBytes(16).toString('hex')] },
      jwks: { keys: [newRsaKey()] },
      ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
      pkce: { required: () => true },
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
      findAccount: (_context, subject) => ({
        accountId: subject,
        claims: () => {
          const { email, email_verified = true, name: fullName } = this.somebody;
          const claims = {
            ...{ sub: subject, email },
            [VOUCHES[name] ?? 'email_verified']: email_verified,
          };
          return { ...claims, ...(fullName !== undefined && { name: fullName }) };
        },
      }),
      loadExistingGrant: async ({ oidc }) => {
        const { client, session } = oidc;
        const grant = new oidc.provider.Grant({
          clientId: client?.clientId ?? '',
          accountId: session?.accountId ?? '',
        });
        grant.addOIDCScope(scopes.join(' '));
        await grant.save();
        return grant;
      },
    });
    if (name === 'apple') {
      provider.Client.prototype.compareClientSecret = (secret) => this.isSignedByTeam(secret, url);
    }
    provider.on('grant.success', () => {
      this.exchanges[name] = (this.exchanges[name] ?? 0) + 1;
    });
    server.on('request', this.withSignIn(provider));
    return {
      issuer: url,
      authorization: `${url}/auth`,
      token: `${url}/token`,
      keys: `${url}/jwks`,
    };
  }

  /** Signs in whoever the test wants, without asking. */
  private withSignIn(provider: Provider): RequestListener {
    const serve = provider.callback();
    return (request, response) => {
      if (request.url?.startsWith('/interaction/') === true) {
        const login = { accountId: this.somebody.subject };
        void provider.interactionFinished(request, response, { login });
      } else {
        void serve(request, response);
      }
    };
  }

  /** As Apple checks a client's secret: signed by the team's key, for Apple and this client. */
  private async isSignedByTeam(secret: string, audience: string): Promise<boolean> {
    try {
      const key: KeyObject = this.appleKey.publicKey;
      const options = { issuer: APPLE_TEAM, audience, subject: 'apple-client', maxTokenAge: 300 };
      const { protectedHeader } = await jwtVerify(secret, key, options);
      return protectedHeader.kid === APPLE_KEY_ID;
    } catch {
      return false;
    }
  }

  /** GitHub on the wire: OAuth 2.0 without OpenID Connect, faults with 200, an API beside. */
  private async startGitHub(): Promise<ProviderEndpoints['github']> {
    const { server, url } = await this.listen();
    const codes = new Map<string, Somebody>();
    const tokens = new Map<string, Somebody>();
    server.on('request', (request, response) => {
      void this.answerGitHub(request, { codes, tokens }).then(({ status, location, body }) => {
        response.writeHead(status, {
          'content-type': 'application/json',
          ...(location !== undefined && { location }),
        });
        response.end(JSON.stringify(body ?? {}));
      });
    });
    return {
      authorization: `${url}/login/oauth/authorize`,
      token: `${url}/login/oauth/access_token`,
      user: `${url}/user`,
      emails: `${url}/user/emails`,
    };
  }

  private async answerGitHub(
    request: IncomingMessage,
    { codes, tokens }: Record<'codes' | 'tokens', Map<string, Somebody>>,
  ): Promise<{ status: number; location?: string; body?: unknown }> {
    const url = new URL(request.url ?? '/', 'http://github');
    switch (url.pathname) {
      case '/login/oauth/authorize':
        return { status: 302, location: this.sendBack(url.searchParams, codes) };
      case '/login/oauth/access_token':
        return this.exchangeGitHub(new URLSearchParams(await text(request)), { codes, tokens });
      default: {
        const bearer = request.headers.authorization?.replace('Bearer ', '') ?? '';
        return describeGitHubUser(url.pathname, tokens.get(bearer));
      }
    }
  }

  private sendBack(query: URLSearchParams, codes: Map<string, Somebody>): string {
    const code = randomUUID();
    codes.set(code, this.somebody);
    const back = new URL(query.get('redirect_uri') ?? '');
    back.searchParams.set('code', code);
    back.searchParams.set('state', query.get('state') ?? '');
    return back.href;
  }

  private exchangeGitHub(
    form: URLSearchParams,
    { codes, tokens }: Record<'codes' | 'tokens', Map<string, Somebody>>,
  ): { status: number; body?: unknown } {
    this.exchanges['github'] = (this.exchanges['github'] ?? 0) + 1;
    if (this.gitHubFault !== undefined) return { status: this.gitHubFault };
    const code = form.get('code') ?? '';
    const somebody = codes.get(code);
    const isClient = form.get('client_secret') === this.settings['GITHUB_CLIENT_SECRET'];
    if (somebody === undefined || !isClient) {
      return { status: 200, body: { error: 'bad_verification_code' } };
    }
    codes.delete(code);
    const token = randomUUID();
    tokens.set(token, somebody);
    return { status: 200, body: { access_token: token, token_type: 'bearer', scope: 'read:user' } };
  }

  private async listen(): Promise<HttpServer> {
    return this.running.use(await startHttpServer());
  }
}

function describeGitHubUser(
  path: string,
  somebody: Somebody | undefined,
): { status: number; body?: unknown } {
  if (somebody === undefined) return { status: 401 };
  const { subject, email, email_verified: verified = true, name = null } = somebody;
  const user = { id: Number(subject), login: 'octocat', name };
  const emails = [
    { email: 'old@example.com', primary: false, verified: true },
    { email, primary: true, verified },
  ];
  return { status: 200, body: path === '/user' ? user : emails };
}

/** Somebody whom nobody knows yet. */
export function newSomebody(change: Partial<Somebody> = {}): Somebody {
  const id = randomUUID();
  const subject = String(parseInt(id.slice(0, 8), 16));
  return { subject, email: `${id}@example.com`, name: 'Ann Example', ...change };
}

function newRsaKey(): object {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'RS256', use: 'sig' };
}
