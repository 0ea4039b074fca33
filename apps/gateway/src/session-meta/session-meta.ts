import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { compareCursors, parseCursor, START } from '@soma/contracts';
import { counter, gauge } from '@soma/observability';
import { RedisConnection } from '@soma/persistence';

/** How long an entry is found after its session's last message. */
const TTL_SECONDS = 24 * 60 * 60;
/** Messages of a session that come this close together are written once. */
const COLLECT_MS = 20;
/** Sessions that may wait to be written. More are left out: nothing depends on them. */
const MAX_WAITING = 10_000;

const lost = counter({
  name: 'soma_session_meta_lost_total',
  help: 'Entries that did not reach Redis. They cost speed and nothing else.',
  labelNames: ['reason'],
});

/** What `session:{<tenant>:<session>}:meta` says. */
export interface SessionMetaEntry {
  tenantId: string;
  sessionId: string;
  /** Undefined: whatever an earlier message said. */
  personaId: string | undefined;
  /** The last row that is known of. */
  cursor: string;
}

/**
 * Keeps a few facts about each session in Redis, where they are quick to read.
 *
 * It is off everybody's path: entries of a session replace each other while they wait, what waits is
 * bounded, and a Redis that is down is counted and nothing more.
 */
@Injectable()
export class SessionMeta implements OnApplicationShutdown {
  readonly #waiting = new Map<string, Map<string, string>>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(private readonly redis: RedisConnection) {
    const waiting = this.#waiting;
    gauge({
      name: 'soma_session_meta_waiting',
      help: 'Sessions whose entry waits to be written to Redis.',
      collect() {
        this.set(waiting.size);
      },
    });
  }

  /** Returns at once and never fails. */
  remember({ tenantId, sessionId, personaId, cursor }: SessionMetaEntry): void {
    // The braces are literal: all keys of a session share a slot of a cluster.
    const key = `session:{${tenantId}:${sessionId}}:meta`;
    const earlier = this.#waiting.get(key);
    if (earlier === undefined && this.#waiting.size >= MAX_WAITING) {
      lost.inc({ reason: 'too_many' });
      return;
    }
    const fields = earlier ?? new Map([['session_id', sessionId]]);
    fields.set('cursor', laterOf(fields.get('cursor'), cursor));
    fields.set('updated_at', new Date().toISOString());
    if (personaId !== undefined) {
      fields.set('persona_id', personaId);
    }
    this.#waiting.set(key, fields);
    this.#timer ??= setTimeout(() => {
      // One pipeline at a time: behind a slow Redis, entries go on replacing each other.
      this.#writing = this.#writing.then(() => this.#write());
    }, COLLECT_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#write();
  }

  async #write(): Promise<void> {
    this.#timer = undefined;
    const entries = [...this.#waiting];
    this.#waiting.clear();
    if (entries.length === 0) {
      return;
    }
    const pipeline = this.redis.pipeline();
    for (const [key, fields] of entries) {
      pipeline.hset(key, fields).expire(key, TTL_SECONDS);
    }
    await pipeline.exec().then(countLost, () => {
      lost.inc({ reason: 'unreachable' }, entries.length);
    });
  }
}

/** Two commands were sent for each entry, and each has its own outcome. */
function countLost(outcomes: [error: Error | null, result: unknown][] | null): void {
  const failed = outcomes?.filter(([error]) => error !== null).length ?? 0;
  if (failed > 0) {
    lost.inc({ reason: 'unreachable' }, Math.ceil(failed / 2));
  }
}

/** Answers come back in another order than that of the rows. */
function laterOf(earlier: string | undefined, cursor: string): string {
  const [one, other] = [earlier, cursor].map((text) => parseCursor(text ?? '') ?? START);
  return earlier !== undefined && one && other && compareCursors(one, other) > 0 ? earlier : cursor;
}
