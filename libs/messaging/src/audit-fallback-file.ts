import { createReadStream } from 'node:fs';
import { open, stat, unlink } from 'node:fs/promises';
import { createInterface } from 'node:readline';

/** A full disk would take more with it than the audit log. */
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * Lines that wait on disk for Kafka. One process uses the file, and does one thing with it at a time.
 */
export class AuditFallbackFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Resolves when the disk has the lines. */
  async append(lines: readonly string[]): Promise<void> {
    const file = await open(this.#path, 'a', 0o600);
    try {
      const { size } = await file.stat();
      if (size > MAX_BYTES) throw new Error('The audit fallback file is full.');
      // The line break comes first as well: the last line may be half of one.
      await file.write(`\n${lines.join('\n')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /**
   * Hands all lines out, some at a time, and then removes them. When `take` fails they stay, also
   * those that it took before.
   */
  async drain(atOnce: number, take: (lines: string[]) => Promise<void>): Promise<void> {
    if (!(await this.#isThere())) return;
    let lines: string[] = [];
    for await (const line of this.#lines()) {
      if (line !== '') lines.push(line);
      if (lines.length === atOnce) {
        await take(lines);
        lines = [];
      }
    }
    await take(lines);
    await unlink(this.#path);
  }

  async *#lines(): AsyncGenerator<string> {
    const input = createReadStream(this.#path, 'utf8');
    try {
      yield* createInterface({ input, crlfDelay: Infinity });
    } finally {
      input.destroy();
    }
  }

  async #isThere(): Promise<boolean> {
    const found = await stat(this.#path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    return found !== undefined;
  }
}
