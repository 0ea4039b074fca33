import { Problem } from '@soma/kernel';

/** Checks of one address that go on at once: enough to keep a processor busy. */
const AT_ONCE = 4;
/** Checks of one address that may wait. More comes only from a flood. */
const MAX_WAITING = 256;

interface Line {
  running: number;
  waiting: (() => void)[];
}

/**
 * Lets the checks of credentials wait for others from the same address alone. Checking a signature is
 * the costliest thing that a stranger can ask for; a flood of bad ones stands in a line of its own,
 * and whoever comes from elsewhere does not stand behind it.
 */
export class FairTurns {
  readonly #lines = new Map<string, Line>();

  /** @throws {@link Problem} 429 `too_many_credentials` when too many of the address wait. */
  async run<Result>(address: string, work: () => Promise<Result>): Promise<Result> {
    const line = this.#lines.get(address) ?? { running: 0, waiting: [] };
    this.#lines.set(address, line);
    if (line.running < AT_ONCE) {
      line.running += 1;
    } else {
      await this.#wait(line);
    }
    try {
      return await work();
    } finally {
      this.#leave(address, line);
    }
  }

  #wait(line: Line): Promise<void> {
    if (line.waiting.length >= MAX_WAITING) {
      throw new Problem({
        status: 429,
        code: 'too_many_credentials',
        detail: 'Too many credentials from this address are being checked. Try again in a second.',
        retryAfterSeconds: 1,
      });
    }
    return new Promise((resolve) => line.waiting.push(resolve));
  }

  /** The place goes to the one who has waited longest. */
  #leave(address: string, line: Line): void {
    const next = line.waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    line.running -= 1;
    if (line.running === 0) {
      this.#lines.delete(address);
    }
  }
}
