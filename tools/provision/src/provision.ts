import { topicCatalog } from '@soma/contracts';
import { isDevelopment, retryTransient, type Secret, TransientError } from '@soma/kernel';
import { createTopics, type KafkaConnection, type TopicOutcome } from '@soma/messaging';
import { migrate } from '@soma/migrations';
import { createDataSource, isDatabaseFault } from '@soma/persistence';

/** How patiently servers are waited for that have not come up yet: about a minute. */
const PATIENCE = { attempts: 60, firstDelayMs: 250, maxDelayMs: 1_250 };

/** In production a record survives the loss of a broker; at home there is only one. */
const REPLICATION = { production: 3, development: 1 };

/** Any number that nothing else locks. */
const MIGRATION_LOCK = 7_305_521;

/** What is to be made ready, and who hears of each step. */
export interface ProvisionOptions {
  /** URL of the role that owns the schemas. */
  database: Secret;
  connection: KafkaConnection;
  /** Copies of each record. Unset: 1 in development, else 3. */
  replicationFactor: number | undefined;
  print: (line: string) => void;
}

/**
 * Brings the database to the newest schema and creates the topics that are missing.
 *
 * Running it again, or twice at the same time, changes nothing.
 */
export async function provision(options: ProvisionOptions): Promise<void> {
  const { database, connection, print } = options;
  const replicationFactor =
    options.replicationFactor ?? REPLICATION[isDevelopment() ? 'development' : 'production'];

  await retryTransient(() => migrateOnce(database), PATIENCE);
  print('Database: at the newest schema.');

  const outcomes = await retryTransient(
    () => createTopics(connection, topicCatalog, replicationFactor),
    PATIENCE,
  );
  for (const outcome of outcomes) print(describeOutcome(outcome));
}

async function migrateOnce(database: Secret): Promise<void> {
  try {
    await alone(database, () => migrate(database));
  } catch (error) {
    throw isDatabaseFault(error)
      ? new TransientError('Migrating the database', { cause: error })
      : error;
  }
}

/** Holds a lock of the database meanwhile: two that migrate at once would make the same tables. */
async function alone(database: Secret, act: () => Promise<void>): Promise<void> {
  const locking = await createDataSource({ url: database, poolSize: 1 }).initialize();
  try {
    await locking.transaction(async (manager) => {
      await manager.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
      await act();
    });
  } finally {
    await locking.destroy();
  }
}

function describeOutcome({ topic, outcome, partitions }: TopicOutcome): string {
  switch (outcome) {
    case 'created':
      return `Topic ${topic}: created with ${partitions} partitions.`;
    case 'exists':
      return `Topic ${topic}: exists.`;
    case 'has_other_partitions':
      return `Topic ${topic}: has ${partitions} partitions, which is not what the catalog says. Change it by hand: keys then move to other partitions.`;
  }
}
