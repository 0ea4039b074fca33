import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { RepeatedWork } from '@soma/kernel';
import { type Logger, traceHeaders } from '@soma/observability';
import type { CoalescingProducer } from './coalescing-producer.ts';
import { relayMetrics } from './messaging-metrics.ts';
import type { Backlog, Outbox, PublishableRow } from './outbox.ts';
import { isTooLarge, type OutgoingRecord } from './outgoing-record.ts';
import { PublishedMarks } from './published-marks.ts';

/** A row older than this is nobody's any more: its process would have published it. */
const LEFT_BEHIND_MS = 1_000;
const POLL_MS = 1_000;
const ROWS_PER_PASS = 500;
/** While one pass waits for Kafka, the next reads its rows. */
const PASSES_AT_ONCE = 2;
const MEASURE_MS = 5_000;

/** What a relay works with. */
export interface RelayOptions {
  producer: CoalescingProducer;
  outbox: Outbox;
  logger: Logger;
  /** Where counting the backlog stops, in rows. */
  backlogLimit: number;
}

/**
 * Brings committed rows to Kafka, each at least once.
 *
 * There are two ways, and the second makes the first safe:
 *
 * 1. `publish`, right after a commit, sends the rows from memory and marks them when Kafka has them.
 *    Whatever goes wrong there (the process dies, Kafka is down, too much waits) is simply dropped.
 * 2. The poll finds rows that are still unmarked after a while, whoever wrote them. It locks what
 *    nobody else has locked, so that any number of processes share a backlog.
 *
 * Both may send the same row, and two rows of a session may overtake each other. Readers of Kafka
 * rely neither on order nor on completeness, and ignore repeats.
 *
 * No high-water mark is kept: a transaction that commits late has lower numbers than one that has
 * been read already, and its rows would be lost.
 */
export class Relay implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #options: RelayOptions;
  readonly #marks: PublishedMarks;
  readonly #sending = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #loops: RepeatedWork[];
  #backlog: Backlog = { count: 0, oldestAgeSeconds: 0 };

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#marks = new PublishedMarks(options.outbox, options.logger);
    this.#loops = [
      this.#repeated(POLL_MS, () => this.#poll()),
      this.#repeated(MEASURE_MS, () => this.#measure()),
    ];
  }

  /** How far Kafka is behind, as measured within the last seconds. */
  get backlog(): Backlog {
    return this.#backlog;
  }

  /** Sends rows that have just been committed. It returns at once and never fails. */
  publish(rows: PublishableRow[]): void {
    const sending = this.#send(causedHere(rows)).then(
      () => {
        relayMetrics.rows.inc({ from: 'memory' }, rows.length);
        this.#marks.add(rows.map(({ id }) => id));
      },
      () => {
        // The rows are in the database, where the poll finds them.
      },
    );
    this.#sending.add(sending);
    void sending.finally(() => this.#sending.delete(sending));
  }

  onApplicationBootstrap(): void {
    this.#loops.forEach((loop) => {
      loop.start();
    });
  }

  /** Ends the poll, and publishes what this process still can. For a process that stops. */
  async lastPass(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    await Promise.all(this.#sending);
    await this.#marks.flush();
    this.#marks.stop();
    await this.#drain(0).catch((error: unknown) => {
      this.#options.logger.warn({ error }, 'Some rows are left to the relays of other processes.');
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.lastPass();
  }

  async #poll(): Promise<void> {
    // One row finds out whether Kafka is back: a whole pass would hold its locks until it fails.
    const limit = this.#options.producer.isReachable ? ROWS_PER_PASS : 1;
    const taken = await this.#take(limit, LEFT_BEHIND_MS);
    if (taken < limit) return;
    await Promise.all(Array.from({ length: PASSES_AT_ONCE }, () => this.#drain(LEFT_BEHIND_MS)));
  }

  async #drain(minAgeMs: number): Promise<void> {
    let taken: number;
    do {
      taken = await this.#take(ROWS_PER_PASS, minAgeMs);
    } while (taken === ROWS_PER_PASS && !this.#stop.signal.aborted);
  }

  async #take(limit: number, minAgeMs: number): Promise<number> {
    const taken = await this.#options.outbox.takeUnpublished(limit, minAgeMs, (rows) =>
      this.#send(rows),
    );
    relayMetrics.rows.inc({ from: 'poll' }, taken);
    return taken;
  }

  #send(rows: PublishableRow[]): Promise<void> {
    return this.#options.producer.sendAll(rows.flatMap((row) => this.#recordsOf(row)));
  }

  /** A record that no topic takes would hold up all others for ever. Readers find its row anyway. */
  #recordsOf({ id, records }: PublishableRow): OutgoingRecord[] {
    if (!records.some((record) => isTooLarge(record))) return records;
    this.#options.logger.error({ row: id }, 'A row is too large for Kafka and stays out of it.');
    return records.filter((record) => !isTooLarge(record));
  }

  async #measure(): Promise<void> {
    this.#backlog = await this.#options.outbox.backlog(this.#options.backlogLimit);
    relayMetrics.backlogRows.set(this.#backlog.count);
    relayMetrics.oldestAgeSeconds.set({ outbox: 'timeline' }, this.#backlog.oldestAgeSeconds);
  }

  #repeated(everyMs: number, act: () => Promise<void>): RepeatedWork {
    const onFailure = (error: unknown): void => {
      this.#options.logger.warn({ error }, 'The relay could not work; trying again.');
    };
    return new RepeatedWork({ everyMs, act, onFailure });
  }
}

/** What wrote the rows causes what is done with them, unless a record says what did. */
function causedHere(rows: PublishableRow[]): PublishableRow[] {
  const cause = traceHeaders();
  if (Object.keys(cause).length === 0) return rows;
  return rows.map(({ id, records }) => ({
    id,
    records: records.map((record) => ({ ...record, headers: { ...cause, ...record.headers } })),
  }));
}
