import { setTimeout as delay } from 'node:timers/promises';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** Whoever ran so long has recovered: its next death is a first one again. */
const STEADY_MS = 30_000;

/** A process that can be started again after it has ended. */
export interface Supervised {
  readonly pid: number;
  start: () => Promise<void>;
  stop: () => Promise<void>;
  /** Resolves when it has ended, with how. */
  exited: () => Promise<string>;
}

/** Keeps one process up: names it when it dies, and starts it again after a growing wait. */
export class Supervisor {
  readonly name: string;
  readonly #process: Supervised;
  readonly #report: (line: string) => void;
  #stopping = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  constructor(name: string, process: Supervised, report: (line: string) => void) {
    this.name = name;
    this.#process = process;
    this.#report = report;
  }

  /** The process's id; `undefined` while it is down. */
  get pid(): number | undefined {
    try {
      return this.#process.pid;
    } catch {
      return undefined;
    }
  }

  /** Watches over a process that has been started. */
  watch(): void {
    this.#stopping = new AbortController();
    this.#watching = this.#keepUp(this.#stopping.signal);
  }

  /** Starts the process again after `stop`, however often that takes. */
  takeBack(): void {
    const { signal } = (this.#stopping = new AbortController());
    this.#watching = this.#start(0, signal).then(() => this.#keepUp(signal));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#process.stop();
    await this.#watching;
    // A start that was under way when we stopped it may have come through.
    await this.#process.stop();
  }

  async #keepUp(signal: AbortSignal): Promise<void> {
    let waitMs = FIRST_WAIT_MS;
    while (!isStopped(signal)) {
      const upSince = Date.now();
      const how = await this.#process.exited();
      if (isStopped(signal)) return;
      if (Date.now() - upSince > STEADY_MS) waitMs = FIRST_WAIT_MS;
      this.#report(`${this.name} ended (${how}). It is started again in ${waitMs / 1_000} s.`);
      await this.#start(waitMs, signal);
      waitMs = longer(waitMs);
    }
  }

  async #start(firstWaitMs: number, signal: AbortSignal): Promise<void> {
    for (let waitMs = firstWaitMs; !isStopped(signal); waitMs = longer(waitMs)) {
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
      if (isStopped(signal) || (await this.#starts())) return;
    }
  }

  async #starts(): Promise<boolean> {
    try {
      await this.#process.start();
      this.#report(`${this.name} is up again.`);
      return true;
    } catch (error) {
      this.#report(error instanceof Error ? error.message : String(error));
      return false;
    }
  }
}

function longer(waitMs: number): number {
  return Math.min(Math.max(waitMs * 2, FIRST_WAIT_MS), LONGEST_WAIT_MS);
}

/** A function, because the compiler takes a property that was false once for false ever after. */
function isStopped(signal: AbortSignal): boolean {
  return signal.aborted;
}
