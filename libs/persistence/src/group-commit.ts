import { isDatabaseFault } from './database-fault.ts';

/** What is fixed when a {@link GroupCommit} is made. */
export interface GroupCommitOptions<Item, Result> {
  /**
   * Stores the items in one transaction and answers one result each, in their order. An `Error` as
   * a result refuses its item alone and leaves the others committed.
   *
   * @param isRepeat - An earlier transaction with these items failed, and it is not known whether
   *   its commit took effect: what is stored already must not be stored again.
   */
  commit: (items: Item[], isRepeat: boolean) => Promise<(Result | Error)[]>;
  /** The most items in one transaction. */
  maxBatch: number;
  /** The most transactions at once. */
  maxParallel: number;
  /** The most items that may wait; what comes on top is refused with {@link QueueFullError}. */
  maxWaiting: number;
}

/** More is waiting for a commit than may wait. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
}

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Lets concurrent writers share transactions: what arrives while a commit is under way goes into
 * the next one together. Nobody waits for company: the first item starts at once.
 *
 * When a transaction fails by an item, its items run one by one, so that only the item that fails
 * again is refused.
 */
export class GroupCommit<Item, Result> {
  readonly #options: GroupCommitOptions<Item, Result>;
  #waiting: Waiting<Item, Result>[] = [];
  #running = 0;

  constructor(options: GroupCommitOptions<Item, Result>) {
    this.#options = options;
  }

  /** How many items wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when the item is committed. */
  submit(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#options.maxWaiting) {
      return Promise.reject(new QueueFullError('Too much is waiting to be stored.'));
    }
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#startNext();
    });
  }

  #startNext(): void {
    if (this.#running >= this.#options.maxParallel || this.#waiting.length === 0) {
      return;
    }
    const batch = this.#waiting.splice(0, this.#options.maxBatch);
    this.#running++;
    void this.#run(batch).finally(() => {
      this.#running--;
      this.#startNext();
    });
  }

  async #run(batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      await this.#commit(batch, false);
    } catch (error) {
      // A fault of the server is no item's fault: one more try for all of them tells.
      const groups = isDatabaseFault(error) ? [batch] : batch.map((waiting) => [waiting]);
      for (const group of groups) {
        await this.#commit(group, true).catch((failure: unknown) => {
          group.forEach(({ reject }) => {
            reject(failure);
          });
        });
      }
    }
  }

  async #commit(batch: Waiting<Item, Result>[], isRepeat: boolean): Promise<void> {
    const items = batch.map(({ item }) => item);
    const results = await this.#options.commit(items, isRepeat);
    batch.forEach(({ resolve, reject }, index) => {
      const result = results[index] ?? new Error('A commit answered too few results.');
      if (result instanceof Error) {
        reject(result);
      } else {
        resolve(result);
      }
    });
  }
}
