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
/** The longest that another side may have all pods wait. */
const MAX_PAUSE_MS = 3_600_000;
/** How much Redis is told late; of what is dropped the lease ends by itself. */
const MAX_UNTOLD = 10_000;

/** How long somebody waits for a permit. */
export interface PermitRequest {
  deadlineMs: number;
  /** Aborts when nobody waits any more. */
  signal?: AbortSignal | undefined;
}

/** May use something once. It must be released, and renewed while it is used for long. */
export interface Permit {
  readonly id: string;
  release: () => Promise<void>;
  renew: () => Promise<void>;
}

/**
 * Hands out permits to use what takes only so much: so many in a minute, and so many at once, over
 * all pods. Who comes when there is none stands in line until the deadline.
 *
 * While Redis is away each pod counts by itself, by the same limits: never by none. When Redis is
 * back, all count together again: what it was not told of it is told then, at the latest before it is
 * asked again.
 */
export class Permits {
  readonly #logger = new Logger(Permits.name);
  readonly #shared: PermitStore;
  readonly #own = new LocalPermits();
  readonly #untold = new Set<() => Promise<void>>();
  #retelling: Promise<unknown> | undefined;
  /** Set while Redis is left alone. */
  #away: NodeJS.Timeout | undefined;

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
    return {
      id: ticket.id,
      release: () => this.release(ticket),
      renew: () => this.renew(ticket),
    };
  }

  /** Keeps a permit that is in use. While Redis is away the next time will do. */
  async renew(ticket: Ticket): Promise<void> {
    await this.#own.renew(ticket);
    await this.#tryShared(() => this.#shared.renew(ticket));
  }

  /** Gives back a permit that was taken by this pod or another one. */
  async release(ticket: Ticket): Promise<void> {
    await this.#own.release(ticket);
    await this.#tell(() => this.#shared.release(ticket));
  }

  /** Has nobody be granted anything for a while, since the other side said when to come again. */
  async pause(key: string, wantedMs: number): Promise<void> {
    const forMs = Math.min(wantedMs, MAX_PAUSE_MS);
    const endsAt = performance.now() + forMs;
    await this.#own.pause(key, forMs);
    await this.#tell(() => this.#shared.pause(key, endsAt - performance.now()));
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
    const shared = await this.#tryShared(async () => {
      await this.#retell();
      return this.#shared.ask(ticket, limits, patienceMs);
    });
    return shared ?? this.#own.ask(ticket, limits, patienceMs);
  }

  /** Tells Redis what must not be lost: else others wait for a permit that nobody holds. */
  async #tell(send: () => Promise<void>): Promise<void> {
    const isTold = await this.#tryShared(() => send().then(() => true));
    if (isTold === undefined && this.#untold.size < MAX_UNTOLD) {
      this.#untold.add(send);
    }
  }

  /** Those who ask at once share it. */
  async #retell(): Promise<void> {
    this.#retelling ??= Promise.all(
      [...this.#untold].map((send) => send().then(() => this.#untold.delete(send))),
    ).finally(() => {
      this.#retelling = undefined;
    });
    await this.#retelling;
  }

  /** Undefined where Redis does not answer, or did not just now: then nobody waits for it. */
  async #tryShared<Result>(ask: () => Promise<Result>): Promise<Result | undefined> {
    if (this.#away !== undefined) {
      return undefined;
    }
    try {
      return await withinLimit(this.limitMs, ask);
    } catch (error) {
      this.#leaveAlone();
      this.#logger.debug({ error, message: 'Permits are counted by this pod alone.' });
      return undefined;
    }
  }

  /** Others wait for what Redis was not told: it is told as soon as it is back, if nobody asks either. */
  #leaveAlone(): void {
    clearTimeout(this.#away);
    this.#away = setTimeout(() => {
      this.#away = undefined;
      if (this.#untold.size > 0) void this.#tryShared(() => this.#retell());
    }, PAUSE_MS).unref();
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
