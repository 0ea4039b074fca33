import type { Secret } from '@soma/kernel';
import { OAuth2Client, type OAuth2Tokens } from 'arctic';
import { z } from 'zod';
import {
  type ExternalIdentity,
  type IdentityProvider,
  type ProviderAnswer,
  ProviderRefusal,
  type ProviderRequest,
} from './identity-provider.ts';
import type { ProviderEndpoints } from './provider-endpoints.ts';
import type { ProviderRequests } from './provider-requests.ts';

const SCOPES = ['read:user', 'user:email'];

const user = z.object({ id: z.int(), login: z.string(), name: z.string().nullish() });
const emails = z.array(z.object({ email: z.email(), primary: z.boolean(), verified: z.boolean() }));

/** As which client people are sent to a provider. */
export interface ProviderClient {
  clientId: string;
  redirectUri: string;
}

/**
 * GitHub, which speaks OAuth 2.0 and not OpenID Connect: it signs nothing about the person, so that
 * they are looked up with the access token, which is then forgotten.
 */
export class GitHubProvider implements IdentityProvider {
  readonly name = 'github';
  readonly title = 'GitHub';
  readonly postsBack = false;
  private readonly urls: OAuth2Client;

  constructor(
    private readonly client: ProviderClient & { clientSecret: Secret },
    private readonly endpoints: ProviderEndpoints['github'],
    private readonly requests: ProviderRequests,
  ) {
    this.urls = new OAuth2Client(client.clientId, null, client.redirectUri);
  }

  authorizationUrl({ state }: ProviderRequest): URL {
    return this.urls.createAuthorizationURL(this.endpoints.authorization, state, SCOPES);
  }

  async identify({ code }: ProviderAnswer): Promise<ExternalIdentity> {
    const tokens = await this.requests.exchangeCode(this.endpoints.token, {
      code,
      redirect_uri: this.client.redirectUri,
      client_id: this.client.clientId,
      client_secret: this.client.clientSecret.reveal(),
    });
    const accessToken = accessTokenOf(tokens);
    const person = parse(user, await this.requests.readJson(this.endpoints.user, accessToken));
    const addresses = parse(
      emails,
      await this.requests.readJson(this.endpoints.emails, accessToken),
    );
    const address = addresses.find(({ primary, verified }) => primary && verified);
    if (address === undefined) {
      throw new ProviderRefusal('email_unverified');
    }
    return {
      provider: this.name,
      subject: String(person.id),
      email: address.email.toLowerCase(),
      display_name: person.name ?? person.login,
    };
  }
}

function accessTokenOf(tokens: OAuth2Tokens): string {
  try {
    return tokens.accessToken();
  } catch (error) {
    throw new ProviderRefusal('token_invalid', error);
  }
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const { success, data, error } = schema.safeParse(value);
  if (!success) {
    throw new ProviderRefusal('token_invalid', error);
  }
  return data;
}
