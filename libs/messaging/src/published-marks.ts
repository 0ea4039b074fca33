import type { Logger } from '@soma/observability';
import type { Outbox } from './outbox.ts';

/** How long a mark may wait for others, in milliseconds, and how many are written at once. */
const COLLECT_MS = 50;
const MARKS_PER_STATEMENT = 500;
/** While the database is down, so many are kept. The rows of the rest are published once more. */
const MAX_WAITING = 50_000;
const RETRY_MS = 1_000;

/** Tells the database, off everybody's path and in bulk, which rows Kafka has. */
export class PublishedMarks {
  readonly #outbox: Outbox;
  readonly #logger: Logger;
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  constructor(outbox: Outbox, logger: Logger) {
    this.#outbox = outbox;
    this.#logger = logger;
  }

  add(ids: string[]): void {
    if (this.#waiting.length >= MAX_WAITING) return;
    this.#waiting.push(...ids);
    this.#flushIn(COLLECT_MS);
    if (this.#waiting.length >= MARKS_PER_STATEMENT) void this.flush();
  }

  /** Writes what waits. What cannot be written is tried again later. */
  flush(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  /** Forgets the timer. Call it after a last {@link flush}. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  async #write(): Promise<void> {
    this.stop();
    this.#timer = undefined;
    while (this.#waiting.length > 0) {
      const ids = this.#waiting.splice(0, MARKS_PER_STATEMENT);
      try {
        await this.#outbox.markPublished(ids);
      } catch (error) {
        this.#logger.warn({ error }, 'Published rows could not be marked; trying again.');
        this.#waiting.unshift(...ids);
        this.#flushIn(RETRY_MS);
        return;
      }
    }
  }

  #flushIn(ms: number): void {
    this.#timer ??= setTimeout(() => {
      // It may fire while marks are written: those that come later need a timer of their own.
      this.#timer = undefined;
      void this.flush();
    }, ms);
  }
}
