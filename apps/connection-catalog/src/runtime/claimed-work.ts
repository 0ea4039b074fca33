import { Logger } from '@nestjs/common';
import { isAbortError, RepeatedWork, sleep } from '@soma/kernel';

const LOOK_EVERY_MS = 1_000;
/** Places that come free are filled together: what is taken at once shares its transactions. */
const GATHER_MS = 50;

/** What is taken, and what is done with it. */
export interface ClaimedWorkOptions<Item> {
  /** What the items are, for the log, as in `connections to check`. */
  items: string;
  /** How many are under way at most. */
  places: number;
  /** How long it rests when nothing waits. Default: a second. */
  everyMs?: number;
  /** Takes so many at most, under leases: what fails here is taken again when its lease ends. */
  claim: (room: number) => Promise<readonly Item[]>;
  run: (item: Item) => Promise<void>;
}

/**
 * Takes items that wait in the database, and works on each by itself: a slow one holds its own place
 * and nobody else's. More is taken as soon as a place is free.
 */
export class ClaimedWork<Item> {
  readonly #options: ClaimedWorkOptions<Item>;
  readonly #running = new Set<Promise<void>>();
  readonly #looking: RepeatedWork;
  readonly #logger = new Logger(ClaimedWork.name);
  #mayBeMore = false;

  constructor(options: ClaimedWorkOptions<Item>) {
    this.#options = options;
    const { items, everyMs = LOOK_EVERY_MS } = options;
    this.#looking = new RepeatedWork({
      everyMs,
      act: () => this.#fill(),
      onFailure: (error) => {
        this.#logger.warn({ message: `Taking ${items} failed; trying again.`, error });
      },
    });
  }

  /** How many are under way. */
  get running(): number {
    return this.#running.size;
  }

  start(): void {
    this.#looking.start();
  }

  /** Takes nothing more, and waits for what is under way. */
  async stop(): Promise<void> {
    await this.#looking.stop();
    await Promise.all(this.#running);
  }

  async #fill(): Promise<void> {
    const room = this.#options.places - this.#running.size;
    if (room > 0) {
      const gathered = sleep(GATHER_MS);
      const items = await this.#options.claim(room);
      this.#mayBeMore = items.length >= room;
      for (const item of items) this.#begin(item);
      if (this.#mayBeMore) await gathered;
    }
  }

  #begin(item: Item): void {
    const running = this.#options
      .run(item)
      .catch((error: unknown) => {
        if (!isAbortError(error)) {
          this.#logger.warn({ message: `Failed at one of ${this.#options.items}.`, error });
        }
      })
      .finally(() => {
        this.#running.delete(running);
        if (this.#mayBeMore) this.#looking.wake();
      });
    this.#running.add(running);
  }
}
