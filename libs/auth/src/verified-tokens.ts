import { hash } from 'node:crypto';
import type { Principal } from '@soma/contracts';

/** About 5 MB. Beyond it the oldest entry goes; its token is verified again when it comes back. */
const CAPACITY = 10_000;

/** A principal, and until when its token may speak for it. */
export interface VerifiedToken {
  principal: Principal;
  /** The token's `exp`, in milliseconds since the epoch. */
  expiresAtMs: number;
  /** Thumbprint of the key that alone may present the token (RFC 7800 §3.1), if it names one. */
  confirmation: string | undefined;
}

/**
 * Remembers tokens whose signature has been checked, so that a busy client costs one hash.
 *
 * It keeps hashes: a heap dump of a service gives no token away.
 */
export class VerifiedTokens {
  private readonly entries = new Map<string, VerifiedToken>();

  find(token: string): VerifiedToken | undefined {
    const entry = this.entries.get(keyOf(token));
    return entry !== undefined && Date.now() < entry.expiresAtMs ? entry : undefined;
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
