import * as oauth from 'oauth4webapi';
import { type OAuthClient, serverOf } from './oauth-client.ts';
import { codeChallengeOf } from './pkce.ts';
import { scopeOf, targetOf } from './provider-client.ts';
import { quirksOf } from './provider-quirks.ts';

/** What makes one way to a provider unlike any other. */
export interface Attempt {
  state: string;
  codeVerifier: string;
  redirectUri: string;
}

/** Where a browser goes to be asked whether Soma may. */
export function authorizationUrl(
  client: OAuthClient & { authorization_endpoint: string },
  { state, codeVerifier, redirectUri }: Attempt,
): string {
  const url = new URL(client.authorization_endpoint);
  const parameters = {
    ...quirksOf(client.provider).authorizationParameters,
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: redirectUri,
    state,
    ...scopeOf(client),
    ...targetOf(client),
    ...(client.has_pkce && {
      code_challenge: codeChallengeOf(codeVerifier),
      code_challenge_method: 'S256',
    }),
  };
  for (const [name, value] of Object.entries(parameters)) {
    url.searchParams.set(name, value);
  }
  return url.href;
}

/** Why what came back from a provider leads nowhere. */
export type ReturnFault = 'refused' | 'wrong_issuer' | 'malformed';

/** What a provider sent back is not what was asked for, or it says no. */
export class ReturnError extends Error {
  override readonly name = 'ReturnError';

  constructor(
    readonly fault: ReturnFault,
    /** The provider's own code, such as `access_denied`. */
    readonly error?: string,
  ) {
    super(`A provider sent a browser back without a code: ${error ?? fault}.`);
  }
}

/**
 * Checks what a browser brought back: who sends it (RFC 9207), that it says yes, and that it is whole.
 *
 * @throws {@link ReturnError}
 */
export function readReturn(
  client: OAuthClient,
  parameters: URLSearchParams,
  state: string,
): URLSearchParams {
  if (!comesFrom(client, parameters)) {
    throw new ReturnError('wrong_issuer');
  }
  try {
    const server = { ...serverOf(client), issuer: parameters.get('iss') ?? '-' };
    const known = { client_id: client.client_id };
    const checked = oauth.validateAuthResponse(server, known, parameters, state);
    if (checked.getAll('code').length !== 1) {
      throw new ReturnError('malformed');
    }
    return checked;
  } catch (error) {
    throw toReturnError(error);
  }
}

function toReturnError(error: unknown): Error {
  if (error instanceof ReturnError) {
    return error;
  }
  return error instanceof oauth.AuthorizationResponseError
    ? new ReturnError('refused', error.error.slice(0, 100))
    : new ReturnError('malformed');
}

/**
 * RFC 9207 §2.4. A provider that is known by its endpoints alone must at least send an issuer of the
 * origin that the browser was sent to: then a code of another one is not brought to its token endpoint.
 */
function comesFrom(client: OAuthClient, parameters: URLSearchParams): boolean {
  const [issuer, ...others] = parameters.getAll('iss');
  if (issuer === undefined || others.length > 0) {
    return others.length === 0 && !client.sends_issuer;
  }
  if (client.issuer !== null) {
    return issuer === client.issuer;
  }
  const { origin } = new URL(client.authorization_endpoint ?? client.token_endpoint);
  return URL.canParse(issuer) && new URL(issuer).origin === origin;
}
