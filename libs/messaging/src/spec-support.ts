import { defineTopic, type Topic } from '@soma/contracts';
import { loadConfig, sleep } from '@soma/kernel';
import { createLogger } from '@soma/observability';
import { z } from 'zod';
import { createTopics } from './create-topics.ts';
import type { IncomingRecord } from './incoming-record.ts';
import { KafkaConnection } from './kafka-connection.ts';
import { kafkaSettings } from './kafka-settings.ts';
import { readTopic } from './read-topic.ts';

const note = z.object({ key: z.string(), text: z.string() });

/** What travels in these tests. */
export type Note = z.output<typeof note>;

/** A topic of notes. */
export function noteTopic(name: string, partitions = 3): Topic<typeof note> {
  return defineTopic({
    name,
    version: `${name}.v1`,
    schema: note,
    key: ({ key }) => key,
    partitions,
    retention: 60_000,
    retry: { attempts: 3, firstDelayMs: 20 },
  });
}

/** A note as it is sent. */
export function noteRecord(
  topic: string,
  key: string,
  text: string,
): { topic: string; key: string; value: string } {
  return { topic, key, value: JSON.stringify({ key, text }) };
}

/** The way to a test's own part of the broker. Its log is silent. */
export function connectTo(
  kafka: { brokers: string; topicPrefix: string },
  settings: Record<string, string> = {},
): KafkaConnection {
  const environment = {
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_TOPIC_PREFIX: kafka.topicPrefix,
    ...settings,
  };
  return new KafkaConnection(loadConfig(z.object(kafkaSettings), environment), {
    clientId: 'messaging-tests',
    logger: createLogger({ service: 'messaging-tests', level: 'silent' }),
  });
}

/** Makes topics on a broker of one node. */
export async function makeTopics(
  connection: KafkaConnection,
  ...topics: Topic<z.ZodType>[]
): Promise<void> {
  await createTopics(connection, topics, 1);
}

/** All records of a topic, in the order of each partition. */
export async function recordsOf(
  connection: KafkaConnection,
  topic: string,
): Promise<IncomingRecord[]> {
  const records: IncomingRecord[] = [];
  await readTopic(connection, topic, (record) => records.push(record));
  return records;
}

const EVENTUALLY_MS = 45_000;

/** Repeats an expectation until it holds, and fails with it when that takes too long. */
export async function eventually(expectation: () => void | Promise<void>): Promise<void> {
  const deadline = Date.now() + EVENTUALLY_MS;
  const attempt = () => Promise.resolve().then(expectation);
  while (Date.now() < deadline) {
    const holds = await attempt().then(
      () => true,
      () => false,
    );
    if (holds) return;
    await sleep(25);
  }
  await attempt();
}
