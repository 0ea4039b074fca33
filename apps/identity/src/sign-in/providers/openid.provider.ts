import { IdTokens } from '@soma/auth';
import { TransientError } from '@soma/kernel';
import { CodeChallengeMethod, OAuth2Client } from 'arctic';
import { z } from 'zod';
import type { ProviderClient } from './github.provider.ts';
import {
  type ExternalIdentity,
  type IdentityProvider,
  type ProviderAnswer,
  type ProviderName,
  ProviderRefusal,
  type ProviderRequest,
} from './identity-provider.ts';
import type { OpenIdEndpoints } from './provider-endpoints.ts';
import { type ProviderPatience, ProviderRequests } from './provider-requests.ts';

/** Apple writes its switches as texts, and Microsoft some as numbers. What is neither is no yes. */
const flag = z
  .unknown()
  .transform((value) => [true, 'true', 1, '1'].some((yes) => yes === value))
  .optional();

const claims = z.object({
  sub: z.string().min(1).max(255),
  email: z.email().optional(),
  email_verified: flag,
  /** Microsoft's: whether the owner of the domain of the address is verified. */
  xms_edov: flag,
  name: z.string().optional(),
});
export type ProviderClaims = z.output<typeof claims>;

/** What is particular about one OpenID provider. */
export interface OpenIdProviderOptions {
  name: ProviderName;
  title: string;
  endpoints: OpenIdEndpoints;
  client: ProviderClient;
  /** Made anew for each code, as Apple's is signed. */
  clientSecret: () => Promise<string>;
  scopes: string[];
  postsBack?: boolean;
  patience: ProviderPatience;
  /** Whether the provider says that the address is the person's own. */
  isEmailVerified: (claims: ProviderClaims) => boolean;
}

/** A provider that speaks OpenID Connect: Google, Microsoft, Apple. */
export class OpenIdProvider implements IdentityProvider {
  readonly name: ProviderName;
  readonly title: string;
  readonly postsBack: boolean;
  private readonly urls: OAuth2Client;
  private readonly idTokens: IdTokens;
  private readonly requests: ProviderRequests;

  constructor(private readonly options: OpenIdProviderOptions) {
    const { name, title, postsBack = false, client, endpoints, patience } = options;
    this.name = name;
    this.title = title;
    this.postsBack = postsBack;
    this.urls = new OAuth2Client(client.clientId, null, client.redirectUri);
    this.idTokens = new IdTokens({
      issuer: endpoints.issuer,
      jwksUrl: endpoints.keys,
      clientId: client.clientId,
      timeoutMs: patience.timeoutMs,
    });
    this.requests = new ProviderRequests(patience);
  }

  authorizationUrl({ state, nonce, codeVerifier }: ProviderRequest): URL {
    const { endpoints, scopes } = this.options;
    const url = this.urls.createAuthorizationURLWithPKCE(
      endpoints.authorization,
      state,
      CodeChallengeMethod.S256,
      codeVerifier,
      scopes,
    );
    url.searchParams.set('nonce', nonce);
    if (this.postsBack) {
      url.searchParams.set('response_mode', 'form_post');
    }
    return url;
  }

  async identify(answer: ProviderAnswer): Promise<ExternalIdentity> {
    const { client, clientSecret, endpoints, isEmailVerified } = this.options;
    const tokens = await this.requests.exchangeCode(endpoints.token, {
      code: answer.code,
      code_verifier: answer.codeVerifier,
      redirect_uri: client.redirectUri,
      client_id: client.clientId,
      client_secret: await clientSecret(),
    });
    const person = await this.read(() => tokens.idToken(), answer.nonce);
    if (person.email === undefined || !isEmailVerified(person)) {
      throw new ProviderRefusal('email_unverified');
    }
    return {
      provider: this.name,
      subject: person.sub,
      email: person.email.toLowerCase(),
      display_name: person.name ?? answer.displayName ?? person.email,
    };
  }

  private async read(idToken: () => string, nonce: string): Promise<ProviderClaims> {
    try {
      return claims.parse(await this.idTokens.verify(idToken(), nonce));
    } catch (error) {
      throw error instanceof TransientError ? error : new ProviderRefusal('token_invalid', error);
    }
  }
}
