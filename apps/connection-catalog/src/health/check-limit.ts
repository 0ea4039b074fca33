import { abortAfter } from '@soma/kernel';

/** The longest that a check takes, all of it. */
const CHECK_LIMIT_MS = 10_000;

/** The time that one check has. */
export class CheckLimit {
  /** Aborts when the time is over, or nobody waits any more. */
  readonly signal: AbortSignal;
  readonly #over = Promise.withResolvers<never>();

  /** @param ending - Aborts when nobody waits for the outcome any more. */
  constructor(private readonly ending?: AbortSignal) {
    this.signal = abortAfter(CHECK_LIMIT_MS, ending);
    this.#over.promise.catch(() => undefined);
    this.signal.addEventListener('abort', () => {
      this.#over.reject(this.signal.reason);
    });
  }

  /**
   * Waits for work until the time is over, whether the work hears the signal or not.
   *
   * @param late - What it comes to then.
   * @throws The reason of `ending`: whoever stops us has learnt nothing of the connection.
   */
  async wait<Value>(work: Promise<Value>, late: () => Value): Promise<Value> {
    try {
      return await Promise.race([work, this.#over.promise]);
    } catch (error) {
      this.ending?.throwIfAborted();
      if (this.signal.aborted) {
        return late();
      }
      throw error;
    }
  }
}
