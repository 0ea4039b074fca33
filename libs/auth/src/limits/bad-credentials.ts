import { LRUCache } from 'lru-cache';
import { checkAllowance } from './rate-limit-answer.ts';
import type { Allowance, RateLimiter } from './rate-limiter.ts';

/** How many addresses are remembered that have sent too many. */
const MAX_ADDRESSES = 10_000;

/**
 * Turns addresses away that have sent too many bad credentials, before anybody looks up what they
 * send next: so a flood costs the database nothing, and who knows a credential does not wait behind it.
 *
 * Bad ones alone are counted, over all pods. A pod hears that an address has none left with the next
 * bad credential that comes to it from there, and remembers it by itself.
 */
export class BadCredentials {
  readonly #limiter: RateLimiter;
  readonly #refused = new LRUCache<string, Allowance>({ max: MAX_ADDRESSES });

  constructor(limiter: RateLimiter) {
    this.#limiter = limiter;
  }

  /** @throws {@link Problem} 429 `rate_limited` */
  check(address: string): void {
    const refused = this.#refused.get(address);
    if (refused !== undefined) {
      checkAllowance({ ...refused, resetMs: this.#refused.getRemainingTTL(address) });
    }
  }

  /** One more came from there. */
  async note(address: string): Promise<void> {
    const allowance = await this.#limiter.spendBadCredential(address);
    if (allowance.granted === 0) {
      this.#refused.set(address, allowance, { ttl: Math.max(1, allowance.resetMs) });
    }
  }
}
