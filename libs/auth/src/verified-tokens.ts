import type { Principal } from '@soma/contracts';
import { LRUCache } from 'lru-cache';

/** About 5 MB. Beyond it the entry goes that was used longest ago; its token is verified again. */
const CAPACITY = 10_000;

/** A principal, and until when its token may speak for it. */
export interface VerifiedToken {
  principal: Principal;
  /** The token's `exp`, in milliseconds since the epoch. */
  expiresAtMs: number;
  /** Thumbprint of the key that alone may present the token (RFC 7800 §3.1), if it names one. */
  confirmation: string | undefined;
}

/** Remembers tokens whose signature has been checked, so that a busy client costs one hash. */
export class VerifiedTokens {
  readonly #entries = new LRUCache<string, VerifiedToken>({ max: CAPACITY });

  find(key: string): VerifiedToken | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && Date.now() < entry.expiresAtMs ? entry : undefined;
  }

  add(key: string, verified: VerifiedToken): void {
    this.#entries.set(key, verified);
  }
}
