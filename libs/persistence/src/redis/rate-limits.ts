/*
 * Counts requests against quotas, over all pods. `rate-limiter-flexible` counts: in windows that begin
 * with the first request of a key, kept in Redis by one script.
 *
 * So that not each request waits for Redis, a pod takes a hundredth of a quota at once and gives it to
 * its own requests until the window ends. Of a quota below 200 that is one: those are counted exactly.
 * Of a larger one each pod may hold so much that the others do not get; nobody ever gets more than the
 * quota. What a pod says is left counts what it holds, and what others took since it asked last is
 * missing in it.
 *
 * A window does not slide: around the end of one a caller may have up to twice the limit within one
 * window's time.
 */
import { setImmediate } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { type Quota, type QuotaGrant, withinLimit } from '@soma/kernel';
import { counter } from '@soma/observability';
import { LRUCache } from 'lru-cache';
import { type RateLimiterAbstract, RateLimiterRedis } from 'rate-limiter-flexible';
import type { RedisConnection } from './redis-connection.ts';

/** A Redis that takes longer costs every request that long: then this pod counts by itself. */
const LIMIT_MS = 150;
/** How long Redis is left alone after it failed. */
const PAUSE_MS = 1_000;
/** The part of a quota that is taken at once, and the most that it may be. */
const SHARE = 1 / 100;
const MAX_BLOCK = 100;
/** How many keys are remembered. One that is forgotten loses what was taken ahead for it. */
const MAX_KEYS = 50_000;
/** Each request brings the window of its quota, and is compared with the limit here. */
const COUNTING = { keyPrefix: 'quota', points: 1, duration: 1 };

const local = counter({
  name: 'soma_rate_limits_local_total',
  help: 'Requests that were counted by this pod alone, because Redis did not answer',
});

/** What this pod holds of the quota of one key. */
interface Lease {
  held: number;
  /** What nobody had taken yet. */
  remaining: number;
  /** When the window ends, by this process's clock. */
  endsAt: number;
  /** Requests that wait until more has been taken. */
  waiting: number;
  /** What this pod counted while Redis was away. */
  alone: { consumed: number; endsAt: number };
  renewal: Promise<void> | undefined;
}

/** How much of a window is used, and when it ends. */
interface Counted {
  consumedPoints: number;
  msBeforeNext: number;
}

/** Counts requests against quotas, over all pods. It never fails. */
export class RateLimits {
  readonly #logger = new Logger(RateLimits.name);
  readonly #leases = new LRUCache<string, Lease>({ max: MAX_KEYS });
  readonly #shared: RateLimiterAbstract;
  #pausedUntil = 0;

  constructor(redis: RedisConnection) {
    this.#shared = new RateLimiterRedis({ ...COUNTING, storeClient: redis.client });
  }

  /**
   * Takes one from a quota: `granted` is 1 or 0.
   *
   * @param quota - Of whole seconds.
   */
  async take(key: string, quota: Quota): Promise<QuotaGrant> {
    const lease = this.#leaseOf(key);
    while (!isDecided(lease)) {
      lease.waiting += 1;
      lease.renewal ??= this.#renew(key, quota, lease);
      await lease.renewal;
      lease.waiting -= 1;
    }
    const granted = lease.held > 0 ? 1 : 0;
    lease.held -= granted;
    const resetMs = Math.ceil(lease.endsAt - performance.now());
    return { granted, remaining: lease.held + lease.remaining, resetMs };
  }

  #leaseOf(key: string): Lease {
    const known = this.#leases.get(key);
    if (known !== undefined) {
      return known;
    }
    const alone = { consumed: 0, endsAt: 0 };
    const lease = { held: 0, remaining: 0, endsAt: 0, waiting: 0, alone, renewal: undefined };
    this.#leases.set(key, lease);
    return lease;
  }

  async #renew(key: string, { limit, windowMs }: Quota, lease: Lease): Promise<void> {
    // When all requests have been read that arrived by now: they share the question.
    await setImmediate();
    const block = Math.min(MAX_BLOCK, Math.floor(limit * SHARE));
    const wanted = Math.max(1, block, lease.waiting);
    const { consumedPoints, msBeforeNext } =
      (await this.#countShared(key, wanted, windowMs / 1000)) ??
      countAlone(lease, wanted, windowMs);
    lease.held = Math.max(0, Math.min(wanted, limit - (consumedPoints - wanted)));
    lease.remaining = Math.max(0, limit - consumedPoints);
    lease.endsAt = performance.now() + msBeforeNext;
    lease.renewal = undefined;
  }

  /**
   * Counts beyond the limit too: then the window has nothing left for anybody. Undefined where Redis
   * does not answer.
   */
  async #countShared(
    key: string,
    points: number,
    customDuration: number,
  ): Promise<Counted | undefined> {
    if (performance.now() < this.#pausedUntil) {
      return undefined;
    }
    try {
      return await withinLimit(LIMIT_MS, () =>
        this.#shared.penalty(key, points, { customDuration }),
      );
    } catch (error) {
      this.#pausedUntil = performance.now() + PAUSE_MS;
      this.#logger.debug({ error, message: 'Requests are counted by this pod alone.' });
      return undefined;
    }
  }
}

/** In the lease, so that however many keys come while Redis is away, no more are remembered. */
function countAlone({ alone }: Lease, points: number, windowMs: number): Counted {
  const now = performance.now();
  if (now >= alone.endsAt) {
    Object.assign(alone, { consumed: 0, endsAt: now + windowMs });
  }
  alone.consumed += points;
  local.inc(points);
  return { consumedPoints: alone.consumed, msBeforeNext: alone.endsAt - now };
}

/** Whether there is no need to ask: it holds some, or the window has no more for anybody. */
function isDecided({ held, remaining, endsAt }: Lease): boolean {
  return performance.now() < endsAt && (held > 0 || remaining === 0);
}
