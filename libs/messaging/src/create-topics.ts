import { DEAD_LETTER_RETENTION_MS, deadLetterTopic, type Topic } from '@soma/contracts';
import { retryTransient } from '@soma/kernel';
import type { Admin, ITopicConfig } from 'kafkajs';
import type { z } from 'zod';
import type { KafkaConnection } from './kafka-connection.ts';
import { MAX_BATCH_BYTES } from './outgoing-record.ts';

const VISIBLE_RETRY = { attempts: 20, firstDelayMs: 50, maxDelayMs: 500 };

type AnyTopic = Topic<z.ZodType>;

/** What became of one topic of the catalog. */
export interface TopicOutcome {
  topic: string;
  outcome: 'created' | 'exists' | 'has_other_partitions';
  /** How many it has now. */
  partitions: number;
}

/**
 * Creates the topics that are missing, each with its dead-letter topic.
 *
 * It deletes and changes nothing. Partitions above all: more of them would move keys to other
 * partitions, so that is left to a person who knows when.
 */
export async function createTopics(
  connection: KafkaConnection,
  catalog: readonly AnyTopic[],
  replicationFactor: number,
): Promise<TopicOutcome[]> {
  const wanted = catalog.flatMap((topic) => topicConfigs(connection, topic, replicationFactor));
  const created = new Set(await connection.administer((admin) => createMissing(admin, wanted)));
  const partitionsOf = await partitionCounts(
    connection,
    wanted.map(({ topic }) => topic),
  );
  return wanted.map(({ topic, numPartitions }) => {
    const partitions = partitionsOf.get(topic) ?? 0;
    if (partitions !== numPartitions) return { topic, outcome: 'has_other_partitions', partitions };
    return { topic, outcome: created.has(topic) ? 'created' : 'exists', partitions };
  });
}

/** When another process makes the same topics at the same time, each is made by one of the two. */
async function createMissing(admin: Admin, wanted: ITopicConfig[]): Promise<string[]> {
  const existing = new Set(await admin.listTopics());
  const missing = wanted.filter(({ topic }) => !existing.has(topic));
  for (const topic of missing) await admin.createTopics({ topics: [topic], waitForLeaders: false });
  return missing.map(({ topic }) => topic);
}

/** A topic that has just been made takes a moment until every broker knows it. */
function partitionCounts(
  connection: KafkaConnection,
  topics: string[],
): Promise<Map<string, number>> {
  const fetchCounts = async (admin: Admin) => {
    const metadata = await admin.fetchTopicMetadata({ topics });
    return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]));
  };
  return retryTransient(() => connection.administer(fetchCounts), VISIBLE_RETRY);
}

function topicConfigs(
  connection: KafkaConnection,
  topic: AnyTopic,
  replicationFactor: number,
): ITopicConfig[] {
  const common = { numPartitions: topic.partitions, replicationFactor };
  const entries = {
    // The broker's clock: streams begin a few seconds back, which pods' clocks must not decide.
    'message.timestamp.type': 'LogAppendTime',
    'max.message.bytes': String(MAX_BATCH_BYTES),
    // With acks=all, what is acknowledged survives the loss of a broker.
    'min.insync.replicas': replicationFactor > 2 ? '2' : '1',
  };
  const configs = (own: Record<string, string>) =>
    Object.entries({ ...entries, ...own }).map(([name, value]) => ({ name, value }));
  return [
    {
      ...common,
      topic: connection.nameOf(topic.name),
      configEntries: configs(retentionEntries(topic.retention)),
    },
    {
      ...common,
      topic: connection.nameOf(deadLetterTopic(topic.name)),
      configEntries: configs(retentionEntries(DEAD_LETTER_RETENTION_MS)),
    },
  ];
}

/** Far longer than any token or copy lives, so that a process that starts misses nothing by it. */
const COMPACTED_RETENTION_MS = 7 * 24 * 60 * 60 * 1000;

/**
 * The broker deletes whole segments, and only once they are closed and their youngest record is old
 * enough. Short segments make the promised retention the longest that a record is kept.
 */
function retentionEntries(retention: number | 'compacted'): Record<string, string> {
  if (retention === 'compacted') {
    // Without an end, every key that was ever revoked would be read at every start.
    return {
      'cleanup.policy': 'compact,delete',
      'retention.ms': String(COMPACTED_RETENTION_MS),
      'segment.ms': String(COMPACTED_RETENTION_MS / 7),
    };
  }
  const segmentMs = Math.floor(retention / 24);
  return {
    'cleanup.policy': 'delete',
    'retention.ms': String(retention - 2 * segmentMs),
    'segment.ms': String(segmentMs),
  };
}
