import { Logger } from '@nestjs/common';
import { newIdentifier, Problem, sleep, withinLimit } from '@soma/kernel';
import type { RedisConnection } from '../redis/redis-connection.ts';
import { LocalPermits } from './local-permits.ts';
import type { PermitAnswer, PermitLimits, PermitStore, Ticket } from './permit-store.ts';
import { RedisPermits } from './redis-permits.ts';

/** A Redis that takes longer holds up everybody: then this pod counts by itself. */
const LIMIT_MS = 150;
/** How long Redis is left alone after it failed. */
const PAUSE_MS = 1_000;

/** How long somebody waits for a permit. */
export interface PermitRequest {
  deadlineMs: number;
  /** Aborts when nobody waits any more. */
  signal?: AbortSignal | undefined;
}

/** May use something once. It must be released. */
export interface Permit {
  readonly id: string;
  release: () => Promise<void>;
}

/**
 * Hands out permits to use what takes only so much: so many in a minute, and so many at once, over
 * all pods. Who comes when there is none stands in line until the deadline.
 *
 * While Redis is away each pod counts by itself, by the same limits: never by none. When Redis is
 * back, all count together again.
 */
export class Permits {
  readonly #logger = new Logger(Permits.name);
  readonly #shared: PermitStore;
  readonly #own = new LocalPermits();
  #awayUntil = 0;

  /** @param limitMs - How long Redis may take. */
  constructor(
    redis: RedisConnection,
    private readonly limitMs = LIMIT_MS,
  ) {
    this.#shared = new RedisPermits(redis);
  }

  /**
   * Waits in line for a permit.
   *
   * @param key - What is limited.
   * @throws {@link Problem} 429 `connection_rate_limited`, as soon as it is clear that there will be
   *   none until the deadline; the reason of the signal when that aborts
   */
  async take(key: string, limits: PermitLimits, request: PermitRequest): Promise<Permit> {
    const ticket = { key, id: newIdentifier() };
    try {
      await this.#stand(ticket, limits, request);
      // Whoever has left meanwhile would never give it back.
      request.signal?.throwIfAborted();
    } catch (error) {
      await this.release(ticket);
      request.signal?.throwIfAborted();
      throw error;
    }
    return { id: ticket.id, release: () => this.release(ticket) };
  }

  /** Gives back a permit that was taken by this pod or another one. */
  async release(ticket: Ticket): Promise<void> {
    await this.#own.release(ticket);
    await this.#tryShared(() => this.#shared.release(ticket));
  }

  /** Has nobody be granted anything for a while, since the other side said when to come again. */
  async pause(key: string, forMs: number): Promise<void> {
    await this.#own.pause(key, forMs);
    await this.#tryShared(() => this.#shared.pause(key, forMs));
  }

  /** Stands in line until the ticket is a permit. */
  async #stand(
    ticket: Ticket,
    limits: PermitLimits,
    { deadlineMs, signal }: PermitRequest,
  ): Promise<void> {
    const endsAt = performance.now() + deadlineMs;
    for (;;) {
      const patienceMs = Math.max(0, endsAt - performance.now());
      const answer = await this.#ask(ticket, limits, patienceMs);
      if (answer.kind === 'granted') {
        return;
      }
      if (answer.kind === 'refused') {
        throw limited(answer.afterMs);
      }
      await sleep(answer.afterMs, signal);
    }
  }

  async #ask(ticket: Ticket, limits: PermitLimits, patienceMs: number): Promise<PermitAnswer> {
    const shared = await this.#tryShared(() => this.#shared.ask(ticket, limits, patienceMs));
    return shared ?? this.#own.ask(ticket, limits, patienceMs);
  }

  /** Undefined while Redis is away. */
  async #tryShared<Result>(ask: () => Promise<Result>): Promise<Result | undefined> {
    if (performance.now() < this.#awayUntil) {
      return undefined;
    }
    try {
      return await withinLimit(this.limitMs, ask);
    } catch (error) {
      this.#awayUntil = performance.now() + PAUSE_MS;
      this.#logger.debug({ error, message: 'Permits are counted by this pod alone.' });
      return undefined;
    }
  }
}

function limited(afterMs: number): Problem {
  return new Problem({
    status: 429,
    code: 'connection_rate_limited',
    detail: 'The connection is used as much as it may be. Try again later.',
    retryAfterSeconds: Math.max(1, afterMs / 1000),
  });
}
