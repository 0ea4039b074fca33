import { startHttpServer } from '@soma/testing';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import Provider from 'oidc-provider';

/** An OpenID provider at which somebody is signed in. */
export interface OpenIdServer extends AsyncDisposable {
  url: string;
  /** What it has answered codes with: its tokens. */
  issued: Record<string, unknown>[];
}

/** Whom it knows, and for which client it does. */
export interface OpenIdServerOptions {
  clientId: string;
  clientSecret: string;
  redirectUri: string;
  email: string;
}

/** Starts an OpenID provider that signs everybody in as the one whom it knows, without asking. */
export async function startOpenIdServer(options: OpenIdServerOptions): Promise<OpenIdServer> {
  const { server, url, [Symbol.asyncDispose]: stop } = await startHttpServer();
  const provider = new Provider(url, configurationOf(options));
  const issued: Record<string, unknown>[] = [];
  provider.on('grant.success', (context) => {
    issued.push(context.body as Record<string, unknown>);
  });
  const serve = provider.callback();
  server.on('request', (request, response) => {
    if (request.url?.startsWith('/interaction/') === true) {
      void provider.interactionFinished(request, response, { login: { accountId: 'somebody' } });
    } else {
      void serve(request, response);
    }
  });
  return { url, issued, [Symbol.asyncDispose]: stop };
}

function configurationOf(
  options: OpenIdServerOptions,
): NonNullable<ConstructorParameters<typeof Provider>[1]> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = { ...privateKey.export({ format: 'jwk' }), kid: 'k', alg: 'RS256', use: 'sig' };
  return {
    clients: [
      {
        client_id: options.clientId,
        client_secret: options.clientSecret,
        redirect_uris: [options.redirectUri],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    claims: { email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: false,
    cookies: { keys: [randomBytes(16).toString('hex')] },
    jwks: { keys: [key] },
    ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    findAccount: (_context, accountId) => ({
      accountId,
      claims: () => ({ sub: accountId, email: options.email, email_verified: true, name: 'Ann' }),
    }),
    loadExistingGrant: async ({ oidc }) => {
      const accountId = oidc.session?.accountId ?? '';
      const grant = new oidc.provider.Grant({ clientId: options.clientId, accountId });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
  };
}
