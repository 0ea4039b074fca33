/** Checks that go on now: one of a connection, for all who want it. */
export class RunningChecks {
  readonly #running = new Map<string, Promise<void>>();

  /** Makes a check, or waits for the one that goes on already. */
  async run(key: string, check: () => Promise<void>): Promise<void> {
    const running = this.#running.get(key);
    if (running !== undefined) {
      return running;
    }
    const begun = check().finally(() => this.#running.delete(key));
    this.#running.set(key, begun);
    return begun;
  }
}
