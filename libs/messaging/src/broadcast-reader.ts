import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { isAbortError, newIdentifier, sleep } from '@soma/kernel';
import type { TraceHeaders } from '@soma/observability';
import type { Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs';
import type { KafkaConnection } from './kafka-connection.ts';
import { consumerMetrics } from './messaging-metrics.ts';
import { removeGroup } from './read-topic.ts';
import { SteadyConsumer } from './steady-consumer.ts';

const RETRY_MS = 1_000;

/** What a {@link BroadcastReader} reads, and who gets it. */
export interface BroadcastReaderOptions {
  connection: KafkaConnection;
  /** The topic's name in the catalog. */
  topic: string;
  /** How far back it begins, in milliseconds by the broker's clock. */
  beginBackMs: number;
  /** Gets every record as bytes: most belong to sessions that nobody here asks for. */
  onRecord: (key: Buffer, value: Buffer, headers: TraceHeaders) => void;
  /** Reading begins or goes on, after what may have been a pause. */
  onAssigned: (partitions: number[]) => void;
}

/**
 * Reads all of a topic in every process, each from where it was.
 *
 * The group is this process's own, so it is given every partition, and it commits nothing: the
 * positions are remembered here. They are fixed before the first join, a little back in time. After
 * a rejoin, a reconnect or a restart of the broker, reading goes on behind the last record that was
 * given out. Where the broker has deleted that much meanwhile, it goes on with the earliest.
 */
export class BroadcastReader implements OnApplicationBootstrap, OnApplicationShutdown {
  /** Resolves when the positions are fixed: whatever is written from now on will be read. */
  readonly ready: Promise<undefined>;
  /** Resolves when all that lay on the topic before the start has been given out. */
  readonly caughtUp: Promise<undefined>;
  readonly #options: BroadcastReaderOptions;
  readonly #topic: string;
  readonly #groupId: string;
  readonly #consumer: SteadyConsumer;
  readonly #becomeReady: (value: undefined) => void;
  readonly #becomeCaughtUp: (value: undefined) => void;
  readonly #stop = new AbortController();
  /** The offset behind the last record given out, of each partition. */
  #positions = new Map<number, string>();
  /** The offset behind the last record there was at the start, of partitions not read so far. */
  #unread = new Map<number, bigint>();
  #starting: Promise<void> = Promise.resolve();
  #isReady = false;

  constructor(options: BroadcastReaderOptions) {
    const { connection, topic } = options;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.ready = promise;
    this.#becomeReady = resolve;
    const { promise: caughtUp, resolve: becomeCaughtUp } = Promise.withResolvers<undefined>();
    this.caughtUp = caughtUp;
    this.#becomeCaughtUp = becomeCaughtUp;
    this.#options = options;
    this.#topic = connection.nameOf(topic);
    this.#groupId = connection.nameOf(`broadcast-${newIdentifier()}`);
    this.#consumer = new SteadyConsumer({
      connection,
      topic: this.#topic,
      groupId: this.#groupId,
      eachBatch: (payload) => this.#giveOut(payload),
      onAssigned: (partitions, consumer) => {
        this.#goOn(partitions, consumer);
      },
    });
  }

  /** Whether {@link ready} has resolved. It stays so while Kafka is away. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Begins in the background: a process starts also while Kafka is down. */
  onApplicationBootstrap(): void {
    this.#starting = this.#start();
  }

  /** Stops reading, and removes the group from the broker. */
  async onApplicationShutdown(): Promise<void> {
    this.#stop.abort();
    await this.#starting;
    await this.#consumer.stop();
    await removeGroup(this.#options.connection, this.#groupId);
  }

  async #start(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#fixPositions();
        this.#consumer.start();
        return;
      } catch (error) {
        const { connection, topic } = this.#options;
        connection.logger.warn({ error, topic }, 'No positions to read from yet; trying again.');
        await sleep(RETRY_MS, signal).catch(ignoreAbort);
      }
    }
  }

  async #fixPositions(): Promise<void> {
    const { connection, beginBackMs } = this.#options;
    const since = Math.max(0, Date.now() - beginBackMs);
    const [begins, ends] = await connection.administer((admin) =>
      Promise.all([
        admin.fetchTopicOffsetsByTimestamp(this.#topic, since),
        admin.fetchTopicOffsets(this.#topic),
      ]),
    );
    this.#positions = new Map(begins.map(({ partition, offset }) => [partition, offset]));
    const unread = ends.filter(({ partition, high }) => this.#positions.get(partition) !== high);
    this.#unread = new Map(unread.map(({ partition, high }) => [partition, BigInt(high)]));
  }

  #goOn(partitions: number[], consumer: Consumer): void {
    for (const partition of partitions) {
      const offset = this.#positions.get(partition);
      // A partition that was added meanwhile is read from its beginning.
      if (offset !== undefined) consumer.seek({ topic: this.#topic, partition, offset });
    }
    this.#isReady = true;
    this.#options.onAssigned(partitions);
    this.#becomeReady(undefined);
    if (this.#unread.size === 0) this.#becomeCaughtUp(undefined);
  }

  #giveOut(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    for (const message of batch.messages) this.#giveOutOne(message);
    const lastOffset = batch.lastOffset();
    payload.resolveOffset(lastOffset);
    this.#passTo(batch.partition, BigInt(lastOffset) + 1n);
    const labels = { topic: this.#options.topic, partition: batch.partition };
    consumerMetrics.lag.set(labels, Number(batch.offsetLag()));
    return Promise.resolve();
  }

  #passTo(partition: number, position: bigint): void {
    this.#positions.set(partition, String(position));
    const end = this.#unread.get(partition);
    if (end === undefined || position < end) return;
    this.#unread.delete(partition);
    if (this.#unread.size === 0) this.#becomeCaughtUp(undefined);
  }

  #giveOutOne({ key, value, headers = {} }: KafkaMessage): void {
    if (key === null || value === null) return;
    try {
      this.#options.onRecord(key, value, headers);
    } catch (error) {
      // One record must not keep the process from the others.
      const { connection, topic } = this.#options;
      connection.logger.error({ error, topic }, 'A record could not be given out.');
    }
  }
}

function ignoreAbort(error: unknown): void {
  if (!isAbortError(error)) throw error;
}
