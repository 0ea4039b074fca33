import { hash } from 'node:crypto';

/** Long enough to be no burden, short enough that a key which comes late is no trouble. */
const KEPT_MS = 1_000;
const CAPACITY = 10_000;

/**
 * Remembers for a moment what was refused, so that a client which repeats a bad token, as many do
 * as fast as they can, costs a hash and not a signature. It is apart from what is good, so that a
 * flood of bad tokens pushes no good one out.
 */
export class RefusedTokens {
  private readonly until = new Map<string, number>();

  has(token: string): boolean {
    const until = this.until.get(keyOf(token));
    return until !== undefined && Date.now() < until;
  }

  add(token: string): void {
    const key = keyOf(token);
    // A map lists its keys in the order in which they came; what comes again is the newest.
    this.until.delete(key);
    const [oldest] = this.until.keys();
    if (this.until.size >= CAPACITY && oldest !== undefined) {
      this.until.delete(oldest);
    }
    this.until.set(key, Date.now() + KEPT_MS);
  }
}

function keyOf(token: string): string {
  return hash('sha256', token, 'base64url');
}
