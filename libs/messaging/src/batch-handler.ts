import type { Topic } from '@soma/contracts';
import { sleep } from '@soma/kernel';
import type { z } from 'zod';
import type { IncomingRecord } from './incoming-record.ts';

/** A record whose value is what its topic promises. */
export interface TopicRecord<Value> extends Omit<IncomingRecord, 'value'> {
  value: Value;
}

/** Records of one topic, of each partition in order. The receiver takes all of them or none. */
export type TopicBatch<Value> = TopicRecord<Value>[];

/** What a {@link BatchHandler} works with. */
export interface BatchHandlerOptions<Value> {
  topic: Pick<Topic<z.ZodType<Value>>, 'schema' | 'retry'>;
  handle: (batch: TopicBatch<Value>) => Promise<void>;
  /** Puts a record aside that can never be handled. */
  setAside: (record: IncomingRecord, error: unknown, retries: number) => Promise<void>;
  /** Whether a failure is a server's, so that the same batch may work later. */
  isServerFault: (error: unknown) => boolean;
  /** Hears of each try that a server's fault ended. */
  onServerFault: (error: unknown) => void;
  /** Ends the waiting for a server. */
  signal: AbortSignal;
}

/**
 * Gets every record of a batch handled or set aside, and lets none hold up the others.
 *
 * A record that is not what its topic promises is set aside at once. When handling the rest fails,
 * the question is whose fault it is. A server's: the batch is tried again until the server is back,
 * because every other record would fail as well. Otherwise it is one record's, and halving the batch
 * finds it in few tries: what fails alone is set aside, when all others have been handled.
 */
export class BatchHandler<Value> {
  readonly #options: BatchHandlerOptions<Value>;

  constructor(options: BatchHandlerOptions<Value>) {
    this.#options = options;
  }

  /** @throws Only when the signal aborts; then some records may have been handled. */
  async execute(records: IncomingRecord[]): Promise<void> {
    const parsed: ParsedRecord<Value>[] = [];
    const failed: FailedRecord[] = [];
    for (const record of records) {
      const outcome = this.#parse(record);
      if ('value' in outcome) parsed.push({ record, value: outcome.value });
      else failed.push({ record, error: outcome.error, retries: 0 });
    }
    if (parsed.length > 0) failed.push(...(await this.#handle(parsed)));
    for (const each of failed) await this.#setAside(each);
  }

  #parse({ value }: IncomingRecord): { value: Value } | { error: unknown } {
    try {
      return { value: this.#options.topic.schema.parse(JSON.parse(value)) };
    } catch (error) {
      return { error };
    }
  }

  /** @returns Those that cannot be handled. */
  async #handle(parsed: ParsedRecord<Value>[]): Promise<FailedRecord[]> {
    const batch = parsed.map(({ record, value }) => ({ ...record, value }));
    try {
      await this.#untilServed(() => this.#options.handle(batch));
      return [];
    } catch (error) {
      this.#options.signal.throwIfAborted();
      const [first, ...others] = parsed;
      if (first !== undefined && others.length === 0) {
        return [{ record: first.record, error, retries: 1 }];
      }
      const middle = Math.ceil(parsed.length / 2);
      return [
        ...(await this.#handle(parsed.slice(0, middle))),
        ...(await this.#handle(parsed.slice(middle))),
      ];
    }
  }

  #setAside({ record, error, retries }: FailedRecord): Promise<void> {
    return this.#untilServed(() => this.#options.setAside(record, error, retries));
  }

  async #untilServed(act: () => Promise<void>): Promise<void> {
    const { topic, signal, isServerFault, onServerFault } = this.#options;
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted();
      const fault = await Promise.resolve()
        .then(act)
        .then(
          () => undefined,
          (error: unknown) => ({ error }),
        );
      if (fault === undefined) return;
      if (!isServerFault(fault.error)) throw fault.error;
      onServerFault(fault.error);
      // The catalog's number of attempts says here how far the wait grows, not when to give up.
      const doublings = Math.min(tries, topic.retry.attempts) - 1;
      await sleep(topic.retry.firstDelayMs * 2 ** doublings, signal);
    }
  }
}

interface FailedRecord {
  record: IncomingRecord;
  error: unknown;
  retries: number;
}

interface ParsedRecord<Value> {
  record: IncomingRecord;
  value: Value;
}
