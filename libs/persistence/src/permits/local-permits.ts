import { LRUCache } from 'lru-cache';
import {
  GRACE_MS,
  PERMIT_LEASE_MS,
  type PermitAnswer,
  type PermitLimits,
  type PermitStore,
  POLL_MS,
  type Ticket,
} from './permit-store.ts';

const MINUTE_MS = 60_000;
/** How many keys are remembered. One that is forgotten begins anew. */
const MAX_KEYS = 50_000;

interface Counted {
  tokens: number;
  /** When `tokens` was true. */
  at: number;
  pausedUntil: number;
  /** Ids of permits, and when each ends by itself. */
  held: Map<string, number>;
  /** In the order in which they came, and until when each keeps its place. */
  queue: Map<string, number>;
}

/** Counts in this process alone. It does what the script of Redis does, step by step. */
export class LocalPermits implements PermitStore {
  readonly #counted = new LRUCache<string, Counted>({ max: MAX_KEYS });
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  ask({ key, id }: Ticket, limits: PermitLimits, patienceMs: number): Promise<PermitAnswer> {
    const now = this.#now();
    const counted = this.#refresh(key, limits, now);
    counted.queue.set(id, counted.queue.get(id) ?? now);
    const rank = [...counted.queue.keys()].indexOf(id);
    const afterMs = waitOf(counted, { limits, rank, now });
    if (afterMs > patienceMs) {
      counted.queue.delete(id);
      return Promise.resolve({ kind: 'refused', afterMs });
    }
    if (afterMs > 0) {
      counted.queue.set(id, now + afterMs + GRACE_MS);
      return Promise.resolve({ kind: 'queued', afterMs });
    }
    counted.queue.delete(id);
    counted.tokens -= 1;
    counted.held.set(id, now + PERMIT_LEASE_MS);
    return Promise.resolve({ kind: 'granted' });
  }

  release({ key, id }: Ticket): Promise<void> {
    const counted = this.#counted.get(key);
    counted?.held.delete(id);
    counted?.queue.delete(id);
    return Promise.resolve();
  }

  renew({ key, id }: Ticket): Promise<void> {
    const held = this.#counted.get(key)?.held;
    if (held?.has(id) === true) held.set(id, this.#now() + PERMIT_LEASE_MS);
    return Promise.resolve();
  }

  pause(key: string, forMs: number): Promise<void> {
    const counted = this.#of(key);
    counted.pausedUntil = Math.max(counted.pausedUntil, this.#now() + forMs);
    return Promise.resolve();
  }

  #refresh(key: string, { perMinute }: PermitLimits, now: number): Counted {
    const counted = this.#of(key);
    const refilled = counted.tokens + ((now - counted.at) * perMinute) / MINUTE_MS;
    counted.tokens = Math.min(perMinute, refilled);
    counted.at = now;
    forgetEnded(counted.held, now);
    forgetEnded(counted.queue, now);
    return counted;
  }

  #of(key: string): Counted {
    const known = this.#counted.get(key);
    if (known !== undefined) {
      return known;
    }
    const counted = { tokens: Infinity, at: 0, pausedUntil: 0, held: new Map(), queue: new Map() };
    this.#counted.set(key, counted);
    return counted;
  }
}

function forgetEnded(ends: Map<string, number>, now: number): void {
  for (const [id, end] of ends) {
    if (end < now) ends.delete(id);
  }
}

/** How long one must wait who has so many before them; 0 for not at all. */
function waitOf(
  { tokens, pausedUntil, held }: Counted,
  { limits, rank, now }: { limits: PermitLimits; rank: number; now: number },
): number {
  const forTokens = Math.max(0, ((rank + 1 - tokens) * MINUTE_MS) / limits.perMinute);
  const forPause = Math.max(0, pausedUntil - now);
  const isFree = limits.concurrency - held.size > rank;
  return Math.ceil(Math.max(forPause, forTokens, isFree ? 0 : POLL_MS));
}
