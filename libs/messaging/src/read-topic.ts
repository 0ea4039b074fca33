import { newIdentifier, retryTransient, TransientError, withinLimit } from '@soma/kernel';
import type { Batch } from 'kafkajs';
import { type IncomingRecord, toIncomingRecord } from './incoming-record.ts';
import type { KafkaConnection } from './kafka-connection.ts';

const READ_LIMIT_MS = 30_000;
/** About ten seconds. */
const LOOK_ATTEMPTS = 8;

/** Reads all that lies on a topic at this moment, each partition in its order, and then ends. */
export async function readTopic(
  connection: KafkaConnection,
  topic: string,
  onRecord: (record: IncomingRecord) => void,
): Promise<void> {
  const name = connection.nameOf(topic);
  const unread = await endsOf(connection, name);
  if (unread.size === 0) return;
  const groupId = connection.nameOf(`reader-${newIdentifier()}`);
  // The default of five seconds is how long a reader that is done would take to leave.
  const consumer = connection.consumer({ groupId, maxWaitTimeInMs: 100 });
  const { promise: finished, resolve } = Promise.withResolvers<undefined>();
  try {
    await consumer.connect();
    await consumer.subscribe({ topic: name, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: ({ batch }) => {
        for (const message of batch.messages) onRecord(toIncomingRecord(message, batch.partition));
        if (hasReachedEnd(batch, unread)) unread.delete(batch.partition);
        if (unread.size === 0) resolve(undefined);
        return Promise.resolve();
      },
    });
    await withinLimit(READ_LIMIT_MS, () => finished).catch(failedReading(topic));
  } finally {
    await consumer.disconnect();
    await removeGroup(connection, groupId);
  }
}

/** The offset behind the last record of each partition that has any. */
async function endsOf(connection: KafkaConnection, name: string): Promise<Map<number, bigint>> {
  // A topic that has just been made may have no leader for a moment.
  const offsets = await retryTransient(
    () => connection.administer((admin) => admin.fetchTopicOffsets(name)),
    { attempts: LOOK_ATTEMPTS },
  );
  const filled = offsets.filter(({ low, high }) => low !== high);
  return new Map(filled.map(({ partition, high }) => [partition, BigInt(high)]));
}

function hasReachedEnd(batch: Batch, ends: Map<number, bigint>): boolean {
  const end = ends.get(batch.partition);
  return end !== undefined && BigInt(batch.lastOffset()) + 1n >= end;
}

function failedReading(topic: string): (cause: unknown) => never {
  return (cause) => {
    throw new TransientError(`Reading ${topic}`, { cause });
  };
}

/** Removes a group that nobody uses any more from the broker. */
export async function removeGroup(connection: KafkaConnection, groupId: string): Promise<void> {
  await connection
    .administer((admin) => admin.deleteGroups([groupId]))
    .catch((error: unknown) => {
      connection.logger.debug({ error, group: groupId }, 'A group is left to expire by itself.');
    });
}
