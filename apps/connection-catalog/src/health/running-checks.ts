import { Problem } from '@soma/kernel';

/** Checks that go on now: one of a connection, for all who want it, and no more than there are places. */
export class RunningChecks {
  readonly #running = new Map<string, Promise<void>>();

  constructor(private readonly places: number) {}

  /** How many more there may be. */
  get free(): number {
    return this.places - this.#running.size;
  }

  /**
   * Makes a check, or waits for the one that goes on already.
   *
   * @throws {@link Problem} 503 `health_checks_busy`
   */
  async run(key: string, check: () => Promise<void>): Promise<void> {
    const running = this.#running.get(key);
    if (running !== undefined) {
      return running;
    }
    if (this.free <= 0) {
      throw new Problem({
        status: 503,
        code: 'health_checks_busy',
        detail: 'Too many connections are being tried at once. Try again in ten seconds.',
        retryAfterSeconds: 10,
      });
    }
    const begun = check().finally(() => this.#running.delete(key));
    this.#running.set(key, begun);
    return begun;
  }
}
