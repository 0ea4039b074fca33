import { Logger } from '@nestjs/common';
import { isAbortError, sleep } from '@soma/kernel';

/** The longest pause between two tries of what fails. */
const MAX_PAUSE_MS = 10_000;

/** What is done again and again, and how often. */
export interface RepeatedWorkOptions {
  /** For the log, as in `Publishing updates`. */
  name: string;
  everyMs: number;
  act: () => Promise<void>;
}

/** Does something again and again until it is stopped, and less often while it fails. */
export class RepeatedWork {
  private readonly logger = new Logger(RepeatedWork.name);
  private readonly ending = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly options: RepeatedWorkOptions) {}

  start(): void {
    this.running = this.repeat();
  }

  /** Waits for what is under way. */
  async stop(): Promise<void> {
    this.ending.abort();
    await this.running;
  }

  private async repeat(): Promise<void> {
    const { name, everyMs, act } = this.options;
    const { signal } = this.ending;
    let pauseMs = everyMs;
    while (!signal.aborted) {
      pauseMs = await act().then(
        () => everyMs,
        (error: unknown) => {
          this.logger.warn({ message: `${name} failed; trying again.`, error });
          return Math.min(Math.max(MAX_PAUSE_MS, everyMs), 2 * pauseMs);
        },
      );
      await sleep(pauseMs, signal).catch(ignoreAbort);
    }
  }
}

function ignoreAbort(error: unknown): void {
  if (!isAbortError(error)) {
    throw error;
  }
}
