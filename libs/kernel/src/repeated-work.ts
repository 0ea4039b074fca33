import { isAbortError, sleep } from './abort.ts';

const MAX_PAUSE_MS = 10_000;

/** What is done again and again, and how often. */
export interface RepeatedWorkOptions {
  /** The pause between the end of one time and the begin of the next. */
  everyMs: number;
  /** While it fails each pause is twice the last, up to this. Default: 10 seconds. */
  maxPauseMs?: number;
  act: () => Promise<void>;
  /** Told of each failure, for the log. It is tried again whatever the failure is. */
  onFailure: (error: unknown) => void;
}

/**
 * Does something again and again until it is stopped: the first time at once, and never twice at the
 * same time.
 */
export class RepeatedWork {
  readonly #options: RepeatedWorkOptions;
  readonly #ending = new AbortController();
  #pause = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: RepeatedWorkOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#repeat();
  }

  /** Ends the pause early. Called while the work is being done, it is done once more at once. */
  wake(): void {
    // An abort makes an error with its stack, also when there was one before.
    if (!this.#pause.signal.aborted) this.#pause.abort();
  }

  /** Begins nothing more, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #repeat(): Promise<void> {
    const { everyMs, maxPauseMs = MAX_PAUSE_MS, act, onFailure } = this.#options;
    let pauseMs = everyMs;
    while (!this.#ending.signal.aborted) {
      this.#pause = new AbortController();
      // An error that it throws at once is no different from one that comes later.
      pauseMs = await Promise.resolve()
        .then(act)
        .then(
          () => everyMs,
          (error: unknown) => {
            onFailure(error);
            return Math.max(everyMs, Math.min(maxPauseMs, 2 * pauseMs));
          },
        );
      const woken = AbortSignal.any([this.#ending.signal, this.#pause.signal]);
      await sleep(pauseMs, woken).catch(ignoreAbort);
    }
  }
}

function ignoreAbort(error: unknown): void {
  if (!isAbortError(error)) {
    throw error;
  }
}
