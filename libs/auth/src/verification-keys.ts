import { Logger } from '@nestjs/common';
import { Problem } from '@soma/kernel';
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import type { OwnKeys } from './own-keys.ts';

/** How long a copy of the keys is used before a newer one is asked for. */
const MAX_AGE_MS = 300_000;
/** Unknown key ids and failures make us ask again no more often than this, whoever sends them. */
const ASK_AGAIN_MS = 5_000;
const TIMEOUT_MS = 2_000;

/**
 * The public keys of an issuer, kept in memory.
 *
 * A request waits for the issuer only when there is no copy at all, or when its token names a key
 * that the copy lacks. A copy that is too old is used while a newer one is fetched, and for as long
 * as none can be had: tokens stay verifiable while the issuer is down. A flood of invented key ids
 * costs one fetch in five seconds.
 */
export class VerificationKeys {
  private readonly logger = new Logger(VerificationKeys.name);
  private readonly remote: ReturnType<typeof createRemoteJWKSet>;
  private isLoaded = false;
  private staleAt = 0;
  private askAgainAt = 0;

  /** @param ownKeys - Asked instead of the address. */
  constructor(url: string, ownKeys?: OwnKeys) {
    this.remote = createRemoteJWKSet(new URL(url), {
      ...(ownKeys && {
        [customFetch]: async () => Response.json({ keys: await ownKeys.publicKeys() }),
      }),
      timeoutDuration: TIMEOUT_MS,
      // When to fetch is decided here: jose would refuse every token once its copy is too old.
      cacheMaxAge: Infinity,
      cooldownDuration: Infinity,
    });
  }

  /** Finds the key that a token names; for `jwtVerify`. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    await this.ensureLoaded();
    try {
      return await this.remote(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !(await this.ask())) {
        throw error;
      }
      return this.remote(header, token);
    }
  };

  /** Fetches the keys ahead of the first token. That the issuer is not there yet is no failure. */
  async prefetch(): Promise<void> {
    await this.ask();
  }

  private async ensureLoaded(): Promise<void> {
    if (Date.now() < this.staleAt) {
      return;
    }
    const answer = this.ask();
    if (!this.isLoaded && !(await answer)) {
      throw new Problem({
        status: 503,
        code: 'identity_unavailable',
        detail: 'Access tokens cannot be checked at the moment. Try again in a few seconds.',
        retryAfterSeconds: ASK_AGAIN_MS / 1000,
      });
    }
  }

  /** Fetches the keys, unless that was tried a moment ago. Answers whether there is a new copy. */
  private async ask(): Promise<boolean> {
    if (!this.remote.reloading && Date.now() < this.askAgainAt) {
      return false;
    }
    this.askAgainAt = Date.now() + ASK_AGAIN_MS;
    try {
      await this.remote.reload();
      this.isLoaded = true;
      this.staleAt = Date.now() + MAX_AGE_MS;
      return true;
    } catch (error) {
      this.logger.warn({ message: 'The signing keys could not be fetched.', error });
      return false;
    }
  }
}
