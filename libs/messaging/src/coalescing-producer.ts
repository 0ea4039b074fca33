import { setTimeout as delay } from 'node:timers/promises';
import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { TransientError } from '@soma/kernel';
import type { Producer, TopicMessages } from 'kafkajs';
import type { KafkaConnection } from './kafka-connection.ts';
import { producerMetrics } from './messaging-metrics.ts';
import { isTooLarge, type OutgoingRecord, RecordTooLargeError, sizeOf } from './outgoing-record.ts';

/**
 * Bounds of one produce request. kafkajs groups a request's records by copying, which grows with
 * the square of their number; and a request much larger than this gains nothing.
 */
const REQUEST_RECORDS = 2_000;
const REQUEST_SIZE = 1024 * 1024;
/**
 * A request of so many records shows a busy process: the next one waits so long, in milliseconds, for
 * company. The work of a broker, and of kafkajs, grows with requests and the partitions in them far
 * more than with records. After a large request there is nothing to gain.
 */
const BUSY_RECORDS = 16;
const LARGE_RECORDS = 500;
const BUSY_WAIT_MS = 20;

/** What one call of `sendAll` waits for. */
interface Delivery {
  pending: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** kafkajs takes it as a message as it is, and overlooks the rest. */
interface QueuedRecord extends OutgoingRecord {
  delivery: Delivery;
}

/**
 * Sends records to Kafka with `acks=all`, as many as wait in one request.
 *
 * A record that finds no request under way goes at once. All that come meanwhile go together in the
 * next request, after a short wait where there are many. So there is one request at a time, order
 * within a key is kept, nothing lingers for the lone record, and a busy process sends large batches.
 *
 * What waits is bounded; beyond it `send` refuses. A request that still fails after kafkajs's own
 * tries (about a second) fails its records, so nothing grows old in memory while Kafka is down.
 * kafkajs's idempotent producer is not used: it would try for ever, and keep sequence numbers that
 * no restart of the broker repairs. A record may thus arrive twice, and every reader ignores repeats.
 */
export class CoalescingProducer implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #connection: KafkaConnection;
  readonly #producer: Producer;
  #queue: QueuedRecord[] = [];
  #queuedSize = 0;
  #pumping: Promise<void> | undefined;
  #connecting: Promise<void> | undefined;
  #isReachable = true;
  #isClosed = false;

  constructor(connection: KafkaConnection) {
    this.#connection = connection;
    this.#producer = connection.producer({ allowAutoTopicCreation: false, idempotent: false });
  }

  /** Whether the last request succeeded. */
  get isReachable(): boolean {
    return this.#isReachable;
  }

  /** Resolves when Kafka has the record on all replicas that are in step. */
  send(record: OutgoingRecord): Promise<void> {
    return this.sendAll([record]);
  }

  /**
   * Resolves when Kafka has all of the records.
   *
   * @throws {@link TransientError} when too much waits already, or when Kafka does not answer. Some
   * of the records may have arrived.
   * @throws {@link RecordTooLargeError} for a record that no topic takes; then none was sent.
   */
  sendAll(records: readonly OutgoingRecord[]): Promise<void> {
    const refusal = this.#refusal(records);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (records.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const delivery = { pending: records.length, resolve, reject };
      for (const { topic, key, value, headers } of records) {
        this.#queue.push({ topic, key, value, ...(headers && { headers }), delivery });
      }
      this.#queuedSize += sizeOfAll(records);
      this.#pumping ??= this.#pump();
    });
  }

  /** Connects early, so that the first record need not wait for it. A failure is the first send's. */
  onApplicationBootstrap(): void {
    void this.#connect().catch(() => undefined);
  }

  /** Sends what waits, and disconnects. */
  async onApplicationShutdown(): Promise<void> {
    this.#isClosed = true;
    await this.#pumping;
    await this.#producer.disconnect();
  }

  #refusal(records: readonly OutgoingRecord[]): Error | undefined {
    const { KAFKA_SEND_BUFFER_RECORDS, KAFKA_SEND_BUFFER_BYTES } = this.#connection.config;
    // What waits is measured without the new records: a large group is not refused for ever.
    const isFull =
      this.#queue.length >= KAFKA_SEND_BUFFER_RECORDS ||
      this.#queuedSize >= KAFKA_SEND_BUFFER_BYTES;
    if (isFull || this.#isClosed) return new TransientError('Queueing records for Kafka');
    return records.some(isTooLarge) ? new RecordTooLargeError() : undefined;
  }

  async #pump(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      const stopTimer = producerMetrics.sendSeconds.startTimer();
      const failure = await this.#produce(batch).then(
        () => undefined,
        (cause: unknown) => new TransientError('Sending records to Kafka', { cause }),
      );
      stopTimer();
      this.#isReachable = failure === undefined;
      settle(batch, failure);
      const hasCompany = batch.length >= BUSY_RECORDS && batch.length < LARGE_RECORDS;
      if (hasCompany && !this.#isClosed) await delay(BUSY_WAIT_MS);
    }
    this.#pumping = undefined;
  }

  /** The longest run from the front that one request may hold, and always one record. */
  #takeBatch(): QueuedRecord[] {
    let count = 0;
    let size = 0;
    for (const record of this.#queue) {
      const sizeWithIt = size + sizeOf(record);
      if (count === REQUEST_RECORDS || (count > 0 && sizeWithIt > REQUEST_SIZE)) break;
      count += 1;
      size = sizeWithIt;
    }
    producerMetrics.queueRecords.set(this.#queue.length);
    producerMetrics.queueSize.set(this.#queuedSize);
    this.#queuedSize -= size;
    return this.#queue.splice(0, count);
  }

  async #produce(batch: QueuedRecord[]): Promise<void> {
    await this.#connect();
    const byTopic = new Map<string, QueuedRecord[]>();
    for (const record of batch) {
      const messages = byTopic.get(record.topic);
      if (messages) messages.push(record);
      else byTopic.set(record.topic, [record]);
    }
    const topicMessages: TopicMessages[] = [];
    for (const [topic, messages] of byTopic) {
      topicMessages.push({ topic: this.#connection.nameOf(topic), messages });
    }
    await this.#producer.sendBatch({ acks: -1, topicMessages });
  }

  /** Once connected, kafkajs connects again by itself; until then each request tries. */
  #connect(): Promise<void> {
    this.#connecting ??= this.#producer.connect().catch((error: unknown) => {
      this.#connecting = undefined;
      throw error;
    });
    return this.#connecting;
  }
}

function settle(batch: QueuedRecord[], failure: Error | undefined): void {
  for (const { delivery } of batch) {
    delivery.pending -= 1;
    if (failure !== undefined) delivery.reject(failure);
    else if (delivery.pending === 0) delivery.resolve();
  }
}

function sizeOfAll(records: readonly OutgoingRecord[]): number {
  return records.reduce((size, record) => size + sizeOf(record), 0);
}
