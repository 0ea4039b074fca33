import { Logger } from '@nestjs/common';
import { abortAfter, ConfigError, Problem } from '@soma/kernel';
import type { KeySource } from './keys/key-source.ts';
import { importPublicKey, type PublicKey } from './keys/public-key.ts';
import { keysFor, type UnprovenToken } from './jws.ts';

/**
 * How long a copy of the keys is used before a newer one is asked for. An issuer publishes a key for
 * longer than that before it signs.
 */
export const KEYS_MAX_AGE_MS = 300_000;
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
  private keys: readonly PublicKey[] | undefined;
  private asking: Promise<boolean> | undefined;
  private fault: unknown;
  private staleAt = 0;
  private askAgainAt = 0;

  constructor(private readonly source: KeySource) {}

  /**
   * Finds the keys that a token may be signed with.
   *
   * @throws {@link Problem} 503 when there are no keys yet.
   */
  async find(token: UnprovenToken): Promise<PublicKey[]> {
    const found = keysFor(token, await this.loaded());
    return found.length === 0 && (await this.ask()) ? keysFor(token, this.keys ?? []) : found;
  }

  /**
   * Fetches the keys ahead of the first token. That their place is not there yet is no failure.
   *
   * @throws {@link ConfigError} when an administrator put there what may not be there.
   */
  async prefetch(): Promise<void> {
    await this.ask();
    if (this.fault instanceof ConfigError) {
      throw this.fault;
    }
  }

  private async loaded(): Promise<readonly PublicKey[]> {
    if (this.keys === undefined) {
      await this.ask();
    } else if (Date.now() >= this.staleAt) {
      // The newer copy arrives behind this request.
      void this.ask();
    }
    if (this.keys === undefined) {
      throw new Problem({
        status: 503,
        code: 'identity_unavailable',
        detail: 'Access tokens cannot be checked at the moment. Try again in a few seconds.',
        retryAfterSeconds: ASK_AGAIN_MS / 1000,
      });
    }
    return this.keys;
  }

  /** Fetches the keys, unless that was tried a moment ago. Answers whether there is a new copy. */
  private ask(): Promise<boolean> {
    if (this.asking === undefined && Date.now() < this.askAgainAt) {
      return Promise.resolve(false);
    }
    this.asking ??= this.fetch().finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  private async fetch(): Promise<boolean> {
    this.askAgainAt = Date.now() + ASK_AGAIN_MS;
    try {
      this.keys = await this.read();
      this.staleAt = Date.now() + KEYS_MAX_AGE_MS;
      this.fault = undefined;
      return true;
    } catch (error) {
      this.fault = error;
      const { place } = this.source;
      this.logger.warn({ message: 'The signing keys could not be fetched.', place, error });
      return false;
    }
  }

  private async read(): Promise<PublicKey[]> {
    const { place, isOurs } = this.source;
    const keys = await this.source.read(abortAfter(TIMEOUT_MS));
    const imported = await Promise.allSettled(keys.map(importPublicKey));
    for (const result of imported.filter((each) => each.status === 'rejected')) {
      const error: unknown = result.reason;
      if (isOurs && error instanceof ConfigError) {
        throw error;
      }
      this.logger.warn({ message: 'A signing key cannot be used.', place, error });
    }
    return imported.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  }
}
