/*
 * All streams that are open in this process.
 *
 * A new stream is brought up to date from the timeline alone, page by page and no faster than its
 * client takes it, by a merge of its own. When it has reached the end of the timeline it joins the
 * session's live merge, which hears what Kafka brings, or becomes it. Nothing falls between the two:
 * what was heard in the last seconds is kept, and is heard again by a merge that goes live; what is
 * no news to a merge is ignored.
 *
 * Kafka is trusted neither to bring everything nor to bring it in order (rule 8). A live merge that
 * learns of a row which it does not have gets it from the timeline, by one reader per session. Of a
 * row that nothing speaks of it learns by a comparison with the sessions' counters: at every
 * assignment of partitions and every five seconds, in one query for all sessions.
 */
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { sessionKey } from '@soma/contracts';
import { Problem, sleep } from '@soma/kernel';
import { gauge, type TraceHeaders } from '@soma/observability';
import { SessionHeads, type SessionName, Timeline, type TimelineRow } from '@soma/sessions';
import { LiveSession } from './live-session.ts';
import { SessionMerge } from './merge.ts';
import { RecentRecords } from './recent-records.ts';
import { streamMetrics } from './stream-metrics.ts';
import type { Subscriber } from './subscriber.ts';

const COMPARE_EVERY_MS = 5_000;
const BEAT_EVERY_MS = 15_000;
const PAGE_ROWS = 100;
const PACE_MS = 20;
/** A client that takes nothing for so long is too slow. */
const STALL_MS = 15_000;

/** A live session, and whose it is. */
type NamedSession = SessionName & { live: LiveSession };

@Injectable()
export class SessionStreams implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #logger = new Logger(SessionStreams.name);
  /** All that are open, also those that are being brought up to date. */
  readonly #subscribers = new Set<Subscriber>();
  readonly #sessions = new Map<string, NamedSession>();
  readonly #recent = new RecentRecords();
  #timers: NodeJS.Timeout[] = [];
  #isStopping = false;

  constructor(
    @Inject(Timeline) private readonly timeline: Pick<Timeline, 'rowsAfter'>,
    @Inject(SessionHeads) private readonly heads: Pick<SessionHeads, 'of'>,
  ) {
    const sessions = this.#sessions;
    gauge({
      name: 'soma_stream_pieces_waiting',
      help: 'Pieces of answers that wait for what comes before them.',
      collect() {
        const counts = [...sessions.values()].map(({ live }) => live.merge.piecesWaiting);
        this.set(counts.reduce((sum, count) => sum + count, 0));
      },
    });
  }

  onApplicationBootstrap(): void {
    this.#timers = [
      setInterval(() => {
        this.compareWithTimeline();
      }, COMPARE_EVERY_MS),
      // One timer for all streams: a timer of each would be most of what an idle stream costs.
      setInterval(() => {
        for (const subscriber of this.#subscribers) subscriber.beat();
      }, BEAT_EVERY_MS),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  /** Ends all streams: their clients go on in another process. */
  beforeApplicationShutdown(): void {
    this.#isStopping = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const subscriber of this.#subscribers) subscriber.end('restarting');
  }

  /** @throws {@link Problem} 503 `restarting` once the process is being stopped. */
  checkOpen(): void {
    if (this.#isStopping) {
      throw new Problem({
        status: 503,
        code: 'restarting',
        detail: 'This process is being replaced. Open the stream again.',
        retryAfterSeconds: 1,
      });
    }
  }

  /** Sends a stream what it lacks, and from then on all that comes, until it is removed. */
  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
    streamMetrics.open.inc({ kind: subscriber.kind });
    this.#begin(subscriber);
  }

  /** Forgets a stream that is closed. */
  remove(subscriber: Subscriber): void {
    subscriber.isOpen = false;
    if (this.#subscribers.delete(subscriber)) {
      streamMetrics.open.dec({ kind: subscriber.kind });
    }
    const key = keyOf(subscriber);
    const session = this.#sessions.get(key);
    session?.live.subscribers.delete(subscriber);
    if (session?.live.subscribers.size === 0) {
      this.#sessions.delete(key);
    }
  }

  /** Takes a record of `conversation.outbound`, unparsed. Most are of sessions of other processes. */
  hear(key: Buffer, value: Buffer, headers: TraceHeaders): void {
    const name = key.toString();
    this.#recent.add(name, value, performance.now());
    this.#sessions.get(name)?.live.hear(value, headers);
  }

  /** Has all that was committed but not heard read from the timeline. */
  compareWithTimeline(): void {
    if (this.#sessions.size > 0) {
      this.#compare().catch((error: unknown) => {
        this.#logger.warn({ error, message: 'The timeline could not be compared with.' });
      });
    }
  }

  async #compare(): Promise<void> {
    const heads = await this.heads.of([...this.#sessions.values()]);
    for (const { tenantId, sessionId, lastSeq, isDeleted } of heads) {
      const session = this.#sessions.get(keyOf({ tenantId, sessionId }));
      if (isDeleted) {
        session?.live.subscribers.forEach((subscriber) => {
          subscriber.end('deleted');
        });
      } else {
        session?.live.expect(lastSeq);
      }
    }
  }

  #begin(subscriber: Subscriber): void {
    this.#bringUpToDate(subscriber).catch((error: unknown) => {
      this.#logger.warn({ error, message: 'A stream could not be brought up to date.' });
      subscriber.end('failed');
    });
  }

  async #bringUpToDate(subscriber: Subscriber): Promise<void> {
    // From the row of the position itself on: it may have opened an answer.
    const merge = new SessionMerge(Math.max(subscriber.position.seq - 1, 0));
    while (subscriber.isOpen && !this.#sessions.get(keyOf(subscriber))?.live.join(subscriber)) {
      const rows = await this.#readAfter(subscriber, merge.last);
      rows.forEach((row) => {
        merge.row(row);
      });
      await deliverPaced(merge, subscriber);
      merge.forget();
      if (!merge.serves(subscriber.position)) {
        merge.rewind(subscriber.position.seq);
      } else if (rows.length < PAGE_ROWS && this.#goLive(subscriber, merge)) {
        return;
      }
    }
  }

  /** Lets a merge that has come to the end of the timeline serve its session, if none does yet. */
  #goLive(subscriber: Subscriber, merge: SessionMerge): boolean {
    const { tenantId, sessionId } = subscriber;
    const key = keyOf(subscriber);
    if (!subscriber.isOpen || this.#sessions.has(key)) {
      return false;
    }
    const live = new LiveSession(merge, {
      tenantId,
      readAfter: (seq) => this.#readAfter({ tenantId, sessionId }, seq),
      onUnserved: (unserved) => {
        this.#begin(unserved);
      },
      onError: (error) => {
        this.#logger.warn({ error, message: 'Missing rows could not be read.' });
      },
    });
    this.#sessions.set(key, { tenantId, sessionId, live });
    live.join(subscriber);
    this.#recent.of(key).forEach((value) => {
      live.hear(value);
    });
    return true;
  }

  #readAfter({ tenantId, sessionId }: SessionName, seq: number): Promise<TimelineRow[]> {
    return this.timeline.rowsAfter(tenantId, sessionId, { seq, limit: PAGE_ROWS });
  }
}

/** Sends what is known to follow, no faster than the client takes it. */
async function deliverPaced(merge: SessionMerge, subscriber: Subscriber): Promise<void> {
  let next = merge.next(subscriber.position);
  while (next !== null && subscriber.isOpen) {
    await waitForClient(subscriber);
    subscriber.deliver(next);
    next = merge.next(subscriber.position);
  }
}

/** Looks again and again, because a WebSocket does not tell when it has drained. */
async function waitForClient(subscriber: Subscriber): Promise<void> {
  const stalledAt = performance.now() + STALL_MS;
  while (subscriber.isOpen && subscriber.isBusy) {
    if (performance.now() > stalledAt) {
      subscriber.end('too_slow');
    }
    await sleep(PACE_MS);
  }
}

function keyOf({ tenantId, sessionId }: SessionName): string {
  return sessionKey({ tenant_id: tenantId, session_id: sessionId });
}
