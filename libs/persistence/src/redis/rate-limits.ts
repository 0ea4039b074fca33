import { Logger } from '@nestjs/common';
import { type Quota, type QuotaGrant, SlidingWindows } from '@soma/kernel';
import { counter } from '@soma/observability';
import type { RedisConnection } from './redis-connection.ts';
import { takeFromRedis } from './redis-windows.ts';

/** A Redis that takes longer costs every request that long: then this pod counts by itself. */
const LIMIT_MS = 150;
/** How long Redis is left alone after it failed. */
const PAUSE_MS = 1_000;

const local = counter({
  name: 'soma_rate_limits_local_total',
  help: 'Requests that were counted by this pod alone, because Redis did not answer',
});

/** Requests of one key that wait for the same answer. */
interface Waiting {
  key: string;
  quota: Quota;
  answer: ((grant: QuotaGrant) => void)[];
}

/**
 * Counts requests against quotas, over all pods.
 *
 * What is asked for in the same moment goes to Redis in one round trip, and requests of the same key
 * as one. While Redis is away, each pod counts by itself, by the same limits: never by none.
 */
export class RateLimits {
  readonly #logger = new Logger(RateLimits.name);
  readonly #redis: RedisConnection;
  readonly #local = new SlidingWindows();
  readonly #waiting = new Map<string, Waiting>();
  #pausedUntil = 0;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  /** Takes one from a quota: `granted` is 1 or 0. It never fails. */
  take(key: string, quota: Quota): Promise<QuotaGrant> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(key) ?? { key, quota, answer: [] };
      waiting.answer.push(resolve);
      this.#waiting.set(key, waiting);
      if (this.#waiting.size === 1 && waiting.answer.length === 1) {
        // When all requests have been read that arrived by now.
        setImmediate(() => void this.#answerAll());
      }
    });
  }

  async #answerAll(): Promise<void> {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    const grants = await this.#takeTogether(all);
    all.forEach(({ key, quota, answer }, index) => {
      const grant = grants?.[index] ?? this.#takeLocally(key, quota, answer.length);
      // The first ones get what there is.
      answer.forEach((resolve, place) => {
        const left = grant.granted - place - 1;
        resolve({
          ...grant,
          granted: left >= 0 ? 1 : 0,
          remaining: grant.remaining + Math.max(0, left),
        });
      });
    });
  }

  #takeLocally(key: string, quota: Quota, wanted: number): QuotaGrant {
    local.inc(wanted);
    return this.#local.take(key, quota, wanted);
  }

  /** Undefined while Redis does not answer. */
  async #takeTogether(all: readonly Waiting[]): Promise<QuotaGrant[] | undefined> {
    if (performance.now() < this.#pausedUntil) {
      return undefined;
    }
    const demands = all.map(({ key, quota, answer }) => ({ key, quota, wanted: answer.length }));
    try {
      return await within(LIMIT_MS, takeFromRedis(this.#redis, demands));
    } catch (error) {
      this.#pausedUntil = performance.now() + PAUSE_MS;
      this.#logger.debug({ error, message: 'Requests are counted by this pod alone.' });
      return undefined;
    }
  }
}

async function within<Value>(limitMs: number, work: Promise<Value>): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Error(`Redis did not answer within ${limitMs} ms.`));
  }, limitMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
