import { signClientAssertion } from '@soma/auth';
import { type Breaker, createBreaker } from '@soma/kernel';
import { recordCircuitState } from '@soma/observability';
import { GitHubProvider, type ProviderClient } from './github.provider.ts';
import type {
  ExternalIdentity,
  IdentityProvider,
  ProviderAnswer,
  ProviderName,
} from './identity-provider.ts';
import { OpenIdProvider, type ProviderClaims } from './openid.provider.ts';
import type { ProviderEndpoints } from './provider-endpoints.ts';
import { isProviderFault, type ProviderPatience, ProviderRequests } from './provider-requests.ts';
import type { ProviderConfig } from './provider-settings.ts';

/** Where Soma is, where the providers are, and how patiently they are asked. */
export interface ProviderSurroundings {
  /** The address at which browsers reach Soma, without a path. */
  publicUrl: string;
  endpoints: ProviderEndpoints;
  patience: ProviderPatience;
}

/** The path to which a provider sends the browser back. */
export function callbackPath(name: ProviderName): string {
  return `/api/auth/oauth/${name}/callback`;
}

/** The providers whose settings are there, each behind a breaker of its own. */
export class IdentityProviders {
  private readonly providers: ReadonlyMap<string, IdentityProvider>;
  private readonly breakers = new Map<ProviderName, Breaker>();

  constructor(config: ProviderConfig, surroundings: ProviderSurroundings) {
    const made = [
      gitHub(config, surroundings),
      google(config, surroundings),
      microsoft(config, surroundings),
      apple(config, surroundings),
    ];
    const configured = made.filter((provider) => provider !== undefined);
    this.providers = new Map(configured.map((provider) => [provider.name, provider]));
    for (const { name } of configured) {
      const options = { onState: recordCircuitState, isFailure: isProviderFault };
      this.breakers.set(name, createBreaker({ name: `sign-in-${name}`, ...options }));
    }
  }

  /** In the order in which they are offered. */
  all(): IdentityProvider[] {
    return [...this.providers.values()];
  }

  /** Nothing for a name that a client made up. */
  find(name: string): IdentityProvider | undefined {
    return this.providers.get(name);
  }

  /** As {@link IdentityProvider.identify}, unless the provider has failed repeatedly. */
  identify(provider: IdentityProvider, answer: ProviderAnswer): Promise<ExternalIdentity> {
    const breaker = this.breakers.get(provider.name);
    const identify = () => provider.identify(answer);
    return breaker === undefined ? identify() : breaker.execute(identify);
  }
}

function clientOf(
  name: ProviderName,
  clientId: string | undefined,
  { publicUrl }: ProviderSurroundings,
): ProviderClient | undefined {
  return clientId === undefined
    ? undefined
    : { clientId, redirectUri: new URL(callbackPath(name), publicUrl).href };
}

function gitHub(
  config: ProviderConfig,
  surroundings: ProviderSurroundings,
): IdentityProvider | undefined {
  const client = clientOf('github', config.GITHUB_CLIENT_ID, surroundings);
  const clientSecret = config.GITHUB_CLIENT_SECRET;
  if (client === undefined || clientSecret === undefined) {
    return undefined;
  }
  const { endpoints, patience } = surroundings;
  const requests = new ProviderRequests(patience);
  return new GitHubProvider({ ...client, clientSecret }, endpoints.github, requests);
}

function google(
  config: ProviderConfig,
  surroundings: ProviderSurroundings,
): IdentityProvider | undefined {
  const client = clientOf('google', config.GOOGLE_CLIENT_ID, surroundings);
  const clientSecret = config.GOOGLE_CLIENT_SECRET;
  if (client === undefined || clientSecret === undefined) {
    return undefined;
  }
  return new OpenIdProvider({
    name: 'google',
    title: 'Google',
    endpoints: surroundings.endpoints.google,
    patience: surroundings.patience,
    client,
    clientSecret: () => Promise.resolve(clientSecret.reveal()),
    scopes: ['openid', 'profile', 'email'],
    isEmailVerified,
  });
}

function microsoft(
  config: ProviderConfig,
  surroundings: ProviderSurroundings,
): IdentityProvider | undefined {
  const client = clientOf('microsoft', config.MICROSOFT_CLIENT_ID, surroundings);
  const { MICROSOFT_CLIENT_SECRET: clientSecret, MICROSOFT_TENANT_ID: tenantId } = config;
  if (client === undefined || clientSecret === undefined || tenantId === undefined) {
    return undefined;
  }
  return new OpenIdProvider({
    name: 'microsoft',
    title: 'Microsoft',
    endpoints: surroundings.endpoints.microsoft(tenantId),
    patience: surroundings.patience,
    client,
    clientSecret: () => Promise.resolve(clientSecret.reveal()),
    scopes: ['openid', 'profile', 'email'],
    // Entra has no `email_verified`. Its addresses are what somebody wrote into a directory, for guests
    // into another one; that the directory owns the domain is said by an optional claim alone.
    isEmailVerified: ({ xms_edov }) => xms_edov === true,
  });
}

function apple(
  config: ProviderConfig,
  surroundings: ProviderSurroundings,
): IdentityProvider | undefined {
  const client = clientOf('apple', config.APPLE_CLIENT_ID, surroundings);
  const clientSecret = client && appleSecret(config, client, surroundings.endpoints.apple.issuer);
  if (client === undefined || clientSecret === undefined) {
    return undefined;
  }
  return new OpenIdProvider({
    name: 'apple',
    title: 'Apple',
    endpoints: surroundings.endpoints.apple,
    patience: surroundings.patience,
    client,
    clientSecret,
    // Apple has no scope `profile`, and posts its answer where one is asked for.
    scopes: ['openid', 'name', 'email'],
    postsBack: true,
    isEmailVerified,
  });
}

function appleSecret(
  config: ProviderConfig,
  { clientId }: ProviderClient,
  audience: string,
): (() => Promise<string>) | undefined {
  const { APPLE_TEAM_ID: issuer, APPLE_KEY_ID: keyId, APPLE_PRIVATE_KEY: privateKey } = config;
  const secret = config.APPLE_CLIENT_SECRET;
  if (secret !== undefined) {
    return () => Promise.resolve(secret.reveal());
  }
  if (issuer === undefined || keyId === undefined || privateKey === undefined) {
    return undefined;
  }
  return () => signClientAssertion({ issuer, clientId, audience, keyId, privateKey });
}

function isEmailVerified({ email_verified }: ProviderClaims): boolean {
  return email_verified === true;
}
