import { setTimeout as delay } from 'node:timers/promises';
import { isAbortError, sleep } from '@soma/kernel';
import type { Consumer, ConsumerConfig, EachBatchPayload } from 'kafkajs';
import type { KafkaConnection } from './kafka-connection.ts';

const RECONNECT_MS = 1_000;
const STOP_LIMIT_MS = 5_000;

/** A member that is silent for so long has died; others take its partitions. In milliseconds. */
const SESSION_TIMEOUT_MS = 10_000;
export const HEARTBEAT_MS = 2_000;

/** How long the broker may keep a fetch waiting for a first record. It bounds a stop as well. */
const FETCH_WAIT_MS = 500;

/** More than any topic has partitions: those of one fetch are handled at the same time. */
const PARTITIONS_AT_ONCE = 128;

/** What a {@link SteadyConsumer} reads, and who hears of it. */
export interface SteadyConsumerOptions {
  connection: KafkaConnection;
  /** Names as the broker knows them. */
  topic: string;
  groupId: string;
  /** A batch of one partition. What it leaves unresolved is delivered again. */
  eachBatch: (payload: EachBatchPayload) => Promise<void>;
  /** The group's partitions were shared out anew. Until this returns nothing is fetched. */
  onAssigned: (partitions: number[], consumer: Consumer) => void;
  /** The partitions may go to another member. */
  onRevoked?: () => void;
}

/**
 * A consumer of one topic that goes on until it is stopped, whatever the broker does meanwhile.
 *
 * kafkajs comes back by itself from most failures, and gives up for good at some: at its first
 * connection, and at errors that it takes for final. Then this makes a new consumer.
 */
export class SteadyConsumer {
  readonly #options: SteadyConsumerOptions;
  readonly #stop = new AbortController();
  #consumer: Consumer | undefined;
  #opening: Promise<void> = Promise.resolve();

  constructor(options: SteadyConsumerOptions) {
    this.#options = options;
  }

  /** Begins in the background: a process starts also while Kafka is down. */
  start(): void {
    this.#opening = this.#open();
  }

  /** Remembers at the broker what the group has handled. */
  async commit(offsets: ReadonlyMap<number, string>): Promise<void> {
    const { topic } = this.#options;
    const positions = [...offsets].map(([partition, offset]) => ({ topic, partition, offset }));
    await this.#consumer?.commitOffsets(positions);
  }

  /** Leaves the group, after the batches under way. It does not wait long for a broker that is away. */
  async stop(): Promise<void> {
    this.#stop.abort();
    const left = this.#opening.then(() => this.#consumer?.disconnect());
    await Promise.race([left, delay(STOP_LIMIT_MS, undefined, { ref: false })]);
  }

  async #open(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#run();
        return;
      } catch (error) {
        const { topic, connection } = this.#options;
        connection.logger.warn({ error, topic }, 'A topic cannot be read; trying again.');
        await sleep(RECONNECT_MS, signal).catch(ignoreAbort);
      }
    }
  }

  async #run(): Promise<void> {
    const { connection, groupId, topic, eachBatch } = this.#options;
    const consumer = connection.consumer(consumerConfig(groupId));
    this.#listen(consumer);
    this.#consumer = consumer;
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
        eachBatch,
      });
    } catch (error) {
      await consumer.disconnect();
      throw error;
    }
  }

  #listen(consumer: Consumer): void {
    const { topic, onAssigned, onRevoked } = this.#options;
    const { GROUP_JOIN, REBALANCING, CRASH } = consumer.events;
    consumer.on(GROUP_JOIN, ({ payload }) => {
      onAssigned(payload.memberAssignment[topic] ?? [], consumer);
    });
    consumer.on(REBALANCING, () => onRevoked?.());
    consumer.on(CRASH, ({ payload }) => {
      onRevoked?.();
      if (!payload.restart && !this.#stop.signal.aborted) this.start();
    });
  }
}

function consumerConfig(groupId: string): ConsumerConfig {
  return {
    groupId,
    allowAutoTopicCreation: false,
    sessionTimeout: SESSION_TIMEOUT_MS,
    heartbeatInterval: HEARTBEAT_MS,
    maxWaitTimeInMs: FETCH_WAIT_MS,
  };
}

function ignoreAbort(error: unknown): void {
  if (!isAbortError(error)) throw error;
}
