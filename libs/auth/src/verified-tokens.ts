import { hash } from 'node:crypto';
import type { Principal } from '@soma/contracts';

/** About 5 MB. Beyond it the oldest entry goes; its token is verified again when it comes back. */
const CAPACITY = 10_000;

/** A principal, and until when its token may speak for it. */
export interface VerifiedToken {
  principal: Principal;
  /** The token's `exp`, in milliseconds since the epoch. */
  expiresAtMs: number;
}

/**
 * Remembers tokens whose signature has been checked, so that a busy client costs one hash.
 *
 * It keeps hashes: a heap dump of a service gives no token away.
 */
export class VerifiedTokens {
  private readonly entries = new Map<string, VerifiedToken>();

  find(token: string): Principal | undefined {
    const entry = this.entries.get(keyOf(token));
    return entry !== undefined && Date.now() < entry.expiresAtMs ? entry.principal : undefined;
  }

  add(token: string, verified: VerifiedToken): void {
    // A map lists its keys in the order in which they came.
    const [oldest] = this.entries.keys();
    if (this.entries.size >= CAPACITY && oldest !== undefined) {
      this.entries.delete(oldest);
    }
    this.entries.set(keyOf(token), verified);
  }
}

function keyOf(token: string): string {
  return hash('sha256', token, 'base64url');
}
