import { retryTransient, TransientError } from '@soma/kernel';
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { CLOCK_LEEWAY_SECONDS } from './token-claims.ts';

/** What providers sign ID tokens with. Each is asymmetric: a client secret never verifies one. */
const ALGORITHMS = ['RS256', 'ES256', 'PS256', 'EdDSA'];
const TIMEOUT_MS = 10_000;
/** How often the keys are asked for before a sign-in fails. */
const ATTEMPTS = 3;
/** Long enough to be no burden, short enough to follow a provider that rotates. */
const KEYS_MAX_AGE_MS = 300_000;
/** An ID token was made a moment ago: it came in the answer to the code. */
const MAX_AGE_SECONDS = 600;

/** Whose ID tokens are accepted, and for which of its clients. */
export interface IdTokensOptions {
  issuer: string;
  jwksUrl: string;
  clientId: string;
  /** How long one request for the keys may take. Default: 10 s. */
  timeoutMs?: number;
}

/** Verifies the ID tokens of one OpenID provider (OpenID Connect Core §3.1.3.7). */
export class IdTokens {
  private readonly remote: ReturnType<typeof createRemoteJWKSet>;

  constructor(private readonly options: IdTokensOptions) {
    this.remote = createRemoteJWKSet(new URL(options.jwksUrl), {
      timeoutDuration: options.timeoutMs ?? TIMEOUT_MS,
      cacheMaxAge: KEYS_MAX_AGE_MS,
    });
  }

  /**
   * The claims of a token that was issued for this very sign-in.
   *
   * @param nonce - What was sent with the browser. A token that was made for another does not count.
   * @throws {@link TransientError} when the keys cannot be had; any other error refuses the token.
   */
  async verify(token: string, nonce: string): Promise<JWTPayload> {
    const { issuer, clientId } = this.options;
    const { payload } = await jwtVerify(token, this.findKey, {
      algorithms: ALGORITHMS,
      issuer,
      audience: clientId,
      clockTolerance: CLOCK_LEEWAY_SECONDS,
      maxTokenAge: MAX_AGE_SECONDS,
      requiredClaims: ['sub', 'exp', 'iat', 'nonce'],
    });
    if (payload['nonce'] !== nonce) {
      throw new Error('The ID token was issued for another sign-in.');
    }
    // §3.1.3.7 rule 4 and 5: a token for several audiences says which of them asked.
    if (Array.isArray(payload.aud) && payload.aud.length > 1 && payload['azp'] !== clientId) {
      throw new Error('The ID token was issued to another client.');
    }
    return payload;
  }

  private readonly findKey: JWTVerifyGetKey = (header, token) =>
    retryTransient(async () => this.askForKey(header, token), { attempts: ATTEMPTS });

  private async askForKey(
    ...asked: Parameters<JWTVerifyGetKey>
  ): Promise<Awaited<ReturnType<JWTVerifyGetKey>>> {
    try {
      return await this.remote(...asked);
    } catch (error) {
      if (isAboutKeys(error)) {
        throw error;
      }
      throw new TransientError(`GET ${this.options.jwksUrl}`, { cause: error });
    }
  }
}

/** Whether there are keys, and none of them is the right one. */
function isAboutKeys(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}
