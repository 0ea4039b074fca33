import { Logger } from '@nestjs/common';
import Provider, {
  type Adapter,
  type Configuration,
  errors,
  type KoaContextWithOIDC,
  type ResourceServer,
} from 'oidc-provider';
import type { SigningKey } from '../signing-keys/signing-keys.ts';
import { isSecretOf, type RegisteredClient, type RegisteredClients } from './registered-clients.ts';

const ALGORITHM = 'ES256';
const TOKEN_LIFETIME_SECONDS = 15 * 60;
/** A resource indicator is a URI (RFC 8707 §2): this prefix and the name of a service. */
const RESOURCE_PREFIX = 'urn:soma:';
/** Whom a token is meant for when its client does not say. */
const DEFAULT_RESOURCE = `${RESOURCE_PREFIX}gateway`;

const ROUTES = { token: '/oauth/token', jwks: '/.well-known/jwks.json' };

/** What the authorisation server is made from. */
export interface ProviderOptions {
  issuer: string;
  keys: readonly SigningKey[];
  clients: RegisteredClients;
}

/** The OAuth 2.0 authorisation server. So far it grants client credentials alone. */
export function createProvider({ issuer, keys, clients }: ProviderOptions): Provider {
  const provider = new Provider(issuer, {
    ...WHAT_IS_OFFERED,
    adapter: () => NOTHING_STORED,
    jwks: { keys: [...keys] },
    clients: [...clients.values()].map((client) => ({
      client_id: client.client_id,
      // The provider asks for one to be there; what it compares is said below.
      client_secret: client.client_secret_hash,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    })),
    extraTokenClaims: (_context, { clientId }) => ({
      tenant: clients.get(clientId ?? '')?.tenant_id,
    }),
    features: featuresFor(clients),
  });
  provider.Client.prototype.compareClientSecret = function (secret) {
    const client = clients.get(this.clientId);
    return client !== undefined && isSecretOf(client, secret);
  };
  provider.use(describeByIssuer);
  const logger = new Logger('OAuth');
  provider.on('server_error', (_context, error) => {
    logger.error({ message: 'An OAuth request failed.', error });
  });
  return provider;
}

const WHAT_IS_OFFERED: Configuration = {
  routes: ROUTES,
  ttl: { ClientCredentials: TOKEN_LIFETIME_SECONDS },
  scopes: [],
  responseTypes: [],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
  clientDefaults: { id_token_signed_response_alg: ALGORITHM },
  enabledJWA: { idTokenSigningAlgValues: [ALGORITHM], dPoPSigningAlgValues: [ALGORITHM] },
};

function featuresFor(clients: RegisteredClients): NonNullable<Configuration['features']> {
  return {
    clientCredentials: { enabled: true },
    // Binds the tokens of services to a key (see ServiceTokens in libs/auth). A proof that is sent
    // twice gives its sender nothing that the client's secret beside it does not.
    dPoP: { enabled: true, allowReplay: true },
    devInteractions: { enabled: false },
    pushedAuthorizationRequests: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    userinfo: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => DEFAULT_RESOURCE,
      getResourceServerInfo: (context, resource, { clientId }) => {
        const client = clients.get(clientId);
        const { params } = context.oidc;
        if (client !== undefined && params !== undefined) {
          // RFC 6749 §3.3: a client that asks for no scope gets those it may have.
          params['scope'] ??= client.scopes.join(' ');
        }
        return resourceServerFor(client, resource);
      },
    },
  };
}

function resourceServerFor(client: RegisteredClient | undefined, resource: string): ResourceServer {
  const audience = resource.startsWith(RESOURCE_PREFIX)
    ? resource.slice(RESOURCE_PREFIX.length)
    : undefined;
  if (client === undefined || audience === undefined || !client.audiences.includes(audience)) {
    throw new errors.InvalidTarget('the client may not ask for tokens for this resource');
  }
  return {
    audience,
    scope: client.scopes.join(' '),
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: ALGORITHM } },
  };
}

/**
 * Corrects the discovery document.
 *
 * Its addresses follow the `Host` header, which anyone can choose, where they must follow the
 * issuer; and it names an authorisation endpoint, which only grants with a browser have.
 */
async function describeByIssuer(
  context: KoaContextWithOIDC,
  next: () => Promise<void>,
): Promise<void> {
  await next();
  const { body } = context;
  if (typeof body === 'object' && body !== null && 'authorization_endpoint' in body) {
    const { issuer } = context.oidc.provider;
    context.body = {
      ...body,
      authorization_endpoint: undefined,
      token_endpoint: new URL(ROUTES.token, issuer),
      jwks_uri: new URL(ROUTES.jwks, issuer),
    };
  }
}

/** Clients come from a file and tokens are self-contained, so there is nothing to keep. */
const NOTHING_STORED: Adapter = {
  find: () => Promise.resolve(undefined),
  findByUid: () => Promise.resolve(undefined),
  findByUserCode: () => Promise.resolve(undefined),
  upsert: () => Promise.reject(new Error('There is no store for what this grant would keep.')),
  consume: () => Promise.resolve(),
  destroy: () => Promise.resolve(),
  revokeByGrantId: () => Promise.resolve(),
};
