const KEPT_MS = 15_000;
/** Records are dropped by the generation: all that came within so much time, at once. */
const GENERATION_MS = 5_000;
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_GENERATION_BYTES = MAX_BYTES / 4;

interface Generation {
  begunAtMs: number;
  sizeBytes: number;
  records: Map<string, Buffer[]>;
}

/**
 * The raw records of the last seconds, by their key.
 *
 * A stream that opens in the middle of an answer finds its pieces here, and need not wait for the
 * next whole text. Losing them costs no more than that wait, so they are bounded in bytes too.
 */
export class RecentRecords {
  #generations: Generation[] = [];
  #sizeBytes = 0;

  add(key: string, value: Buffer, nowMs: number): void {
    const generation = this.#current(nowMs);
    const records = generation.records.get(key);
    if (records === undefined) {
      generation.records.set(key, [value]);
    } else {
      records.push(value);
    }
    generation.sizeBytes += value.length;
    this.#sizeBytes += value.length;
  }

  /** The records of one key, oldest first. */
  of(key: string): Buffer[] {
    return this.#generations.flatMap(({ records }) => records.get(key) ?? []);
  }

  #current(nowMs: number): Generation {
    const current = this.#generations.at(-1);
    if (
      current !== undefined &&
      nowMs - current.begunAtMs < GENERATION_MS &&
      current.sizeBytes < MAX_GENERATION_BYTES
    ) {
      return current;
    }
    this.#dropOld(nowMs);
    const next = { begunAtMs: nowMs, sizeBytes: 0, records: new Map<string, Buffer[]>() };
    this.#generations.push(next);
    return next;
  }

  #dropOld(nowMs: number): void {
    const isOld = ({ begunAtMs }: Generation): boolean =>
      nowMs - begunAtMs >= KEPT_MS + GENERATION_MS ||
      this.#sizeBytes > MAX_BYTES - MAX_GENERATION_BYTES;
    for (let oldest = this.#generations[0]; oldest && isOld(oldest);) {
      this.#generations.shift();
      this.#sizeBytes -= oldest.sizeBytes;
      oldest = this.#generations[0];
    }
  }
}
