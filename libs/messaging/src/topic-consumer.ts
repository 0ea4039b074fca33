import { setTimeout as delay } from 'node:timers/promises';
import type { Topic } from '@soma/contracts';
import { isAbortError, TransientError } from '@soma/kernel';
import { isDatabaseFault } from '@soma/persistence';
import type { EachBatchPayload } from 'kafkajs';
import type { z } from 'zod';
import { BatchHandler, type TopicBatch } from './batch-handler.ts';
import type { DeadLetters } from './dead-letters.ts';
import { type IncomingRecord, toIncomingRecord } from './incoming-record.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { consumerMetrics } from './messaging-metrics.ts';
import { HEARTBEAT_MS, SteadyConsumer } from './steady-consumer.ts';

/** How much is handled together at most: it becomes one transaction. */
const MAX_BATCH_RECORDS = 500;
const COMMIT_MS = 1_000;
const COMMIT_LIMIT_MS = 2_000;
const MEASURE_MS = 5_000;

/** One topic, one group, and who handles its records. */
export interface TopicConsumerOptions {
  connection: KafkaConnection;
  deadLetters: DeadLetters;
  topic: Topic<z.ZodType>;
  group: string;
  handle: (batch: TopicBatch<unknown>) => Promise<void>;
}

/** The records of one partition that wait to be handled. */
interface WaitingBatch {
  records: IncomingRecord[];
  done: (isHandled: boolean) => void;
}

/**
 * Handles the records of one topic in batches, over all partitions that this process has.
 *
 * kafkajs delivers each partition by itself. What it delivers while a batch is being handled waits
 * and goes together next, so that a busy topic costs few transactions. A record is resolved when it
 * has been handled or set aside, and never before. The broker is told within a second, off the path:
 * a crash repeats a second of records, which handlers must bear anyway.
 */
export class TopicConsumer {
  readonly #options: TopicConsumerOptions;
  readonly #consumer: SteadyConsumer;
  readonly #handler: BatchHandler<unknown>;
  readonly #stop = new AbortController();
  readonly #waiting: WaitingBatch[] = [];
  /** The offset behind the last record handled, of each partition, where the broker must be told. */
  readonly #uncommitted = new Map<number, string>();
  #working: Promise<void> | undefined;
  #committing: Promise<void> | undefined;
  /** The first offset of the batch under way, of each partition. */
  readonly #underWay = new Map<number, bigint>();
  #timers: NodeJS.Timeout[] = [];

  constructor(options: TopicConsumerOptions) {
    const { connection, topic, group } = options;
    this.#options = options;
    this.#handler = this.#createHandler();
    this.#consumer = new SteadyConsumer({
      connection,
      topic: connection.nameOf(topic.name),
      // The topic is part of it: kafkajs wants all members of a group to read the same topics.
      groupId: connection.nameOf(`${group}.${topic.name}`),
      eachBatch: (payload) => this.#take(payload),
      onRevoked: () => void this.#commit(),
      // What is not committed by now is delivered again; to whom is no longer known.
      onAssigned: () => {
        this.#uncommitted.clear();
      },
    });
  }

  start(): void {
    this.#consumer.start();
    this.#timers = [
      setInterval(() => void this.#commit(), COMMIT_MS),
      setInterval(() => void this.#measure(), MEASURE_MS),
    ];
  }

  /** Finishes the batch under way, tells the broker, and leaves the group. */
  async stop(): Promise<void> {
    this.#stop.abort();
    for (const timer of this.#timers) clearInterval(timer);
    await this.#working;
    // A broker that is away costs a repetition, and must not keep the process.
    await Promise.race([this.#commit(), delay(COMMIT_LIMIT_MS, undefined, { ref: false })]);
    await this.#consumer.stop();
  }

  async #take(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const records = batch.messages.map((message) => toIncomingRecord(message, batch.partition));
    // While a server is down, handling takes long, and the broker must not take us for dead. What
    // else a heartbeat has to say, kafkajs hears from its own, between batches.
    const timer = setInterval(() => void payload.heartbeat().catch(() => undefined), HEARTBEAT_MS);
    this.#underWay.set(batch.partition, BigInt(batch.firstOffset() ?? 0));
    const isHandled = await this.#submit(records);
    this.#underWay.delete(batch.partition);
    clearInterval(timer);
    if (!isHandled) return;
    payload.resolveOffset(batch.lastOffset());
    this.#uncommitted.set(batch.partition, String(BigInt(batch.lastOffset()) + 1n));
    this.#noteLag(batch.partition, Number(batch.offsetLag()));
  }

  /** While a batch is stuck, the broker alone knows how much comes after it. */
  async #measure(): Promise<void> {
    if (this.#underWay.size === 0) return;
    const { connection, topic } = this.#options;
    const begun = new Map(this.#underWay);
    const ends = await connection
      .administer((admin) => admin.fetchTopicOffsets(connection.nameOf(topic.name)))
      // What is away is not measured.
      .catch(() => []);
    for (const { partition, high } of ends) {
      const first = begun.get(partition);
      const isStuck = first !== undefined && this.#underWay.get(partition) === first;
      if (isStuck) this.#noteLag(partition, Number(BigInt(high) - first));
    }
  }

  #noteLag(partition: number, records: number): void {
    consumerMetrics.lag.set({ topic: this.#options.topic.name, partition }, records);
  }

  #submit(records: IncomingRecord[]): Promise<boolean> {
    return new Promise((done) => {
      this.#waiting.push({ records, done });
      this.#working ??= this.#work();
    });
  }

  async #work(): Promise<void> {
    // The partitions of one fetch arrive one after the other at this same moment.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batches = this.#takeWaiting();
      const isHandled = await this.#handleAll(batches.flatMap(({ records }) => records));
      for (const { done } of batches) done(isHandled);
    }
    this.#working = undefined;
  }

  /** As many as make one batch, and always one. */
  #takeWaiting(): WaitingBatch[] {
    let records = 0;
    const tooMany = this.#waiting.findIndex((batch, index) => {
      records += batch.records.length;
      return index > 0 && records > MAX_BATCH_RECORDS;
    });
    return this.#waiting.splice(0, tooMany === -1 ? this.#waiting.length : tooMany);
  }

  async #handleAll(records: IncomingRecord[]): Promise<boolean> {
    const labels = { topic: this.#options.topic.name };
    const stopTimer = consumerMetrics.handlingSeconds.startTimer(labels);
    try {
      for (let from = 0; from < records.length; from += MAX_BATCH_RECORDS) {
        const part = records.slice(from, from + MAX_BATCH_RECORDS);
        consumerMetrics.batchRecords.observe(labels, part.length);
        await this.#handler.execute(part);
      }
      return true;
    } catch (error) {
      if (!isAbortError(error)) throw error;
      return false;
    } finally {
      stopTimer();
    }
  }

  #createHandler(): BatchHandler<unknown> {
    const { topic, handle, deadLetters, connection } = this.#options;
    const { logger } = connection;
    return new BatchHandler({
      topic,
      handle,
      signal: this.#stop.signal,
      isServerFault: (error) => error instanceof TransientError || isDatabaseFault(error),
      onServerFault: (error) => {
        logger.warn({ error, topic: topic.name }, 'A batch waits for a server; trying again.');
      },
      setAside: async (record, error, retries) => {
        const { key, value, headers, partition, offset } = record;
        await deadLetters.put({ topic: topic.name, key, value, headers, error, retries });
        const position = { topic: topic.name, partition, offset };
        logger.error({ error, ...position }, 'A record cannot be handled and was set aside.');
      },
    });
  }

  /** One at a time. What fails is committed next time, or delivered again. */
  #commit(): Promise<void> {
    if (this.#uncommitted.size === 0) return Promise.resolve();
    this.#committing ??= this.#commitAll(new Map(this.#uncommitted)).finally(() => {
      this.#committing = undefined;
    });
    return this.#committing;
  }

  async #commitAll(offsets: ReadonlyMap<number, string>): Promise<void> {
    try {
      await this.#consumer.commit(offsets);
    } catch (error) {
      const { connection, topic } = this.#options;
      connection.logger.debug({ error, topic: topic.name }, 'Offsets are not committed yet.');
      return;
    }
    for (const [partition, offset] of offsets) {
      if (this.#uncommitted.get(partition) === offset) this.#uncommitted.delete(partition);
    }
  }
}
