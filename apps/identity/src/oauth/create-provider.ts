import { Inject, Injectable, Logger } from '@nestjs/common';
import { ACR } from '@soma/auth';
import Provider, {
  type AdapterFactory,
  type Client,
  type ClientMetadata,
  type Configuration,
  type errors,
  type KoaContextWithOIDC,
} from 'oidc-provider';
import { ApiKeyClients } from '../api-keys/api-key-clients.ts';
import type { CurrentKeys } from '../signing-keys/key-ring.ts';
import { ProviderKey, type SigningKey } from '../signing-keys/signing-key.ts';
import { ApiKeyAdapter, keyOf, keyTokenSeconds, speakForServiceAccount } from './api-key-grants.ts';
import { CLIENTS, OAUTH_OPTIONS, type OAuthOptions } from './oauth-options.ts';
import { devicePages, renderFault } from './pages.ts';
import { rememberRefreshes } from './refresh-answers.ts';
import { giveRefreshTokensAsCookies } from './refresh-cookie.ts';
import { isSecretOf, type RegisteredClient, type RegisteredClients } from './registered-clients.ts';
import { OidcRecords } from './oidc-records.ts';
import { RecordAdapter } from './record-adapter.ts';
import { answerForAccessTokens } from './structured-tokens.ts';
import { interactionsOf } from './tenant-prompt.ts';
import { TokenAudit } from './token-audit.ts';
import { TokenContent } from './token-content.ts';

const ALGORITHM = 'ES256';
const MINUTE_S = 60;
const DAY_S = 24 * 60 * MINUTE_S;
/** How long an access token is good for. */
const ACCESS_TOKEN_SECONDS = 15 * MINUTE_S;
/** How long a person stays signed in without doing anything. */
const REFRESH_TOKEN_SECONDS = 30 * DAY_S;

/** Where the authorisation server answers. */
const ROUTES = {
  authorization: '/oauth/authorize',
  token: '/oauth/token',
  introspection: '/oauth/introspect',
  revocation: '/oauth/revoke',
  device_authorization: '/oauth/device/authorization',
  code_verification: '/oauth/device',
  end_session: '/oauth/end-session',
  jwks: '/.well-known/jwks.json',
};

/** What the authorisation server is made from. */
@Injectable()
export class ProviderParts {
  constructor(
    @Inject(OAUTH_OPTIONS) readonly options: OAuthOptions,
    @Inject(CLIENTS) readonly clients: RegisteredClients,
    readonly apiKeys: ApiKeyClients,
    readonly records: OidcRecords,
    readonly content: TokenContent,
    readonly audit: TokenAudit,
  ) {}
}

/** The OAuth 2.0 and OpenID Connect authorisation server. */
export function createProvider(parts: ProviderParts, keys: CurrentKeys): Provider {
  const { clients, apiKeys, records, content } = parts;
  const adapter: AdapterFactory = (model) =>
    model === 'Client' ? new ApiKeyAdapter(apiKeys) : new RecordAdapter(model, records);
  const provider = new Provider(parts.options.issuer, {
    ...WHAT_IS_OFFERED,
    adapter,
    jwks: { keys: signingFirst(keys).map((key) => new ProviderKey(key)) },
    clients: [...clients.values()].map(metadataOf),
    features: featuresFor(content),
    interactions: interactionsOf((userId) => content.countTenants(userId)),
    findAccount: (_context, subject) => content.account(subject),
    loadExistingGrant: (context) => content.grantFor(context),
    // A token of a step-up brings its own: no client has asked for it here.
    extraTokenClaims: (context, token) => token.extra ?? content.claimsOf(context, token),
    formats: { customizers: { jwt: speakForServiceAccount } },
  });
  // The address that clients use is the issuer's, whatever a proxy or a client says: the door sets
  // the headers that this makes it trust.
  provider.proxy = true;
  compareSecrets(provider, parts);
  keepTenantInGrants(provider);
  giveRefreshTokensAsCookies(provider, parts.options.apiBaseUrl.startsWith('https:'));
  // Outside of what follows, which may answer a repeat as the first time was answered.
  parts.audit.follow(provider);
  rememberRefreshes(provider, records);
  answerForAccessTokens(provider, {
    keys: keys.published.map(({ publicKey }) => publicKey),
    revoked: content.revoked,
  });
  logFaults(provider);
  return provider;
}

/** It signs with the first. */
function signingFirst({ signing, published }: CurrentKeys): SigningKey[] {
  return [signing, ...published.filter((key) => key !== signing)];
}

function compareSecrets(provider: Provider, { clients, apiKeys }: ProviderParts): void {
  provider.Client.prototype.compareClientSecret = function (secret) {
    const key = keyOf(this);
    if (key !== undefined) {
      return apiKeys.accepts(key, secret);
    }
    const client = clients.get(this.clientId);
    return client !== undefined && 'client_secret_hash' in client && isSecretOf(client, secret);
  };
}

/** oidc-provider stores those properties of a grant that this list names. */
function keepTenantInGrants({ Grant }: Provider): void {
  const model = Grant as unknown as { IN_PAYLOAD: string[] };
  const properties = [...model.IN_PAYLOAD, 'tenant_id'];
  Object.defineProperty(model, 'IN_PAYLOAD', { get: () => properties });
}

function logFaults(provider: Provider): void {
  const logger = new Logger('OAuth');
  const report = (_context: KoaContextWithOIDC, error: Error | errors.OIDCProviderError): void => {
    logger.error({ message: 'An OAuth request failed.', error });
  };
  provider.on('server_error', report);
}

const WHAT_IS_OFFERED: Configuration = {
  routes: ROUTES,
  scopes: ['openid', 'profile', 'email'],
  claims: {
    openid: ['sub'],
    profile: ['name'],
    email: ['email', 'email_verified'],
    acr: null,
    amr: null,
    auth_time: null,
    iss: null,
  },
  responseTypes: ['code'],
  pkce: { required: () => true },
  extraParams: ['tenant', 'invitation'],
  extraClientMetadata: { properties: ['soma'] },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
  clientDefaults: { id_token_signed_response_alg: ALGORITHM },
  enabledJWA: { idTokenSigningAlgValues: [ALGORITHM], dPoPSigningAlgValues: [ALGORITHM] },
  allowOmittingSingleRegisteredRedirectUri: false,
  acrValues: Object.values(ACR),
  issueRefreshToken: (_context, client) => client.grantTypeAllowed('refresh_token'),
  // A refresh token outlives the browser's session; signing out ends both.
  expiresWithSession: () => false,
  rotateRefreshToken: true,
  renderError: renderFault,
  cookies: {
    names: { session: 'oauthSession', interaction: 'oauthSignIn', resume: 'oauthResume' },
    long: { httpOnly: true, sameSite: 'lax', path: '/oauth' },
    short: { httpOnly: true, sameSite: 'lax' },
  },
  ttl: {
    AccessToken: ACCESS_TOKEN_SECONDS,
    AuthorizationCode: MINUTE_S,
    ClientCredentials: (_context, _token, client) => keyTokenSeconds(client, ACCESS_TOKEN_SECONDS),
    DeviceCode: 10 * MINUTE_S,
    // It must be there as long as anything that was made under it.
    Grant: REFRESH_TOKEN_SECONDS + DAY_S,
    IdToken: ACCESS_TOKEN_SECONDS,
    Interaction: 30 * MINUTE_S,
    // Rotation does not prolong it: after so long a person signs in again.
    RefreshToken: ({ oidc }) =>
      oidc.entities.RotatedRefreshToken?.remainingTTL ?? REFRESH_TOKEN_SECONDS,
    Session: 7 * DAY_S,
  },
};

function featuresFor(content: TokenContent): NonNullable<Configuration['features']> {
  return {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true, ...devicePages },
    introspection: { enabled: true, allowedPolicy: isOwn },
    revocation: { enabled: true, allowedPolicy: isOwn },
    // Binds the tokens of services to a key (see ServiceTokens in libs/auth). A proof that is sent
    // twice gives its sender nothing that the client's secret beside it does not.
    dPoP: { enabled: true, allowReplay: true },
    externalSigningSupport: { enabled: true, ack: 'experimental-01' },
    devInteractions: { enabled: false },
    pushedAuthorizationRequests: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    userinfo: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_context, _client, granted) => content.defaultResource(granted),
      getResourceServerInfo: (context, resource, client) =>
        content.resourceServer(context, resource, client),
    },
  };
}

/** Refresh tokens are the matter of the client that has them. */
function isOwn(
  _context: KoaContextWithOIDC,
  { clientId }: Client,
  token: { clientId?: string | undefined },
): boolean {
  return token.clientId === clientId;
}

/** A client as oidc-provider wants it, with its registration. */
function metadataOf(client: RegisteredClient): ClientMetadata {
  const { client_id } = client;
  const none = { redirect_uris: [], response_types: [] };
  if (client.type === 'ui') {
    const { name: client_name, redirect_uris } = client;
    return { client_id, client_name, redirect_uris, soma: client, ...FOR_BROWSERS };
  }
  if (client.type === 'device') {
    return { client_id, client_name: client.name, soma: client, ...none, ...FOR_DEVICES };
  }
  // The provider asks for a secret to be there; what it compares is said above.
  const { client_secret_hash: client_secret } = client;
  const grant_types = ['client_credentials'];
  return { client_id, client_secret, grant_types, soma: client, ...none };
}

const FOR_BROWSERS: Partial<ClientMetadata> = {
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
};

const FOR_DEVICES: Partial<ClientMetadata> = {
  token_endpoint_auth_method: 'none',
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
};
