import type { ConfigUpdate, Principal } from '@soma/contracts';
import { CLOCK_LEEWAY_SECONDS } from './token-claims.ts';

/** About 15 MB. See {@link Revocations} for what happens beyond it. */
const CAPACITY = 100_000;
/** Before every second. */
const NEVER = -1;

/**
 * What has been taken back of tokens that would still be good by themselves.
 *
 * A process hears of it from the topic `config.updates`, from its beginning on, and keeps for each
 * principal the second up to which its tokens are void, and single tokens with the second in which
 * they were made. The store is bounded: what was heard first is
 * given up first, and from then on every token that is not newer than what was given up is void,
 * whoever's it is. Its owner obtains another; a revoked one never comes back.
 */
export class Revocations {
  private readonly voidUpTo = new Map<string, number>();
  private everyoneUpTo = NEVER;

  constructor(private readonly capacity = CAPACITY) {}

  /** Takes in one record of `config.updates`. Those of other entities are none of ours. */
  apply({ entity, id, version, deleted, occurred_at }: ConfigUpdate): void {
    if (entity === 'principal') {
      this.revoke(`principal:${id}`, version);
    } else if (entity === 'api_key' && deleted) {
      // A key never comes back, so its tokens may be void for longer than clocks are apart.
      const second = Math.ceil(Date.parse(occurred_at) / 1000);
      this.revoke(`api_key:${id}`, second + CLOCK_LEEWAY_SECONDS);
    }
  }

  /** Whether the credential behind a principal was taken back after it had been issued. */
  isRevoked(credential: Principal): boolean {
    if (this.voidUpTo.size === 0) {
      return false;
    }
    const { tenant_id, subject, token_id = '', api_key_id = '', issued_at = 0 } = credential;
    const person = `${tenant_id}:${subject}`;
    const voidUpTo = Math.max(
      this.everyoneUpTo,
      this.secondOf(`principal:${person}`),
      this.secondOf(`principal:${person}:${token_id}`),
      this.secondOf(`api_key:${tenant_id}:${api_key_id}`),
    );
    return issued_at <= voidUpTo;
  }

  private secondOf(name: string): number {
    return this.voidUpTo.get(name) ?? NEVER;
  }

  private revoke(name: string, second: number): void {
    if (second <= this.secondOf(name)) {
      return;
    }
    // A map lists its keys in the order in which they came.
    this.voidUpTo.delete(name);
    this.voidUpTo.set(name, second);
    const [oldest] = this.voidUpTo;
    if (this.voidUpTo.size > this.capacity && oldest !== undefined) {
      this.voidUpTo.delete(oldest[0]);
      this.everyoneUpTo = Math.max(this.everyoneUpTo, oldest[1]);
    }
  }
}
