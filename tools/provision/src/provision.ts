import { topicCatalog } from '@soma/contracts';
import { isDevelopment, retryTransient, type Secret, TransientError } from '@soma/kernel';
import { createTopics, type KafkaConnection, type TopicOutcome } from '@soma/messaging';
import { migrate } from '@soma/migrations';
import { isDatabaseFault } from '@soma/persistence';
import { alone } from './alone.ts';
import { type RelationshipStore, provisionRelationships } from './relationships.ts';

/** How patiently servers are waited for that have not come up yet: about a minute. */
const PATIENCE = { attempts: 60, firstDelayMs: 250, maxDelayMs: 1_250 };

/** In production a record survives the loss of a broker; at home there is only one. */
const REPLICATION = { production: 3, development: 1 };

/** What is to be made ready, and who hears of each step. */
export interface ProvisionOptions {
  /** URL of the role that owns the schemas. */
  database: Secret;
  connection: KafkaConnection;
  /** Copies of each record. Unset: 1 in development, else 3. */
  replicationFactor: number | undefined;
  /** Unset: there is no relationship service. */
  relationships: RelationshipStore | undefined;
  print: (line: string) => void;
}

/**
 * Brings the database to the newest schema, creates the topics that are missing and brings the model of
 * relationships to its newest form.
 *
 * Running it again, or twice at the same time, changes nothing.
 */
export async function provision(options: ProvisionOptions): Promise<void> {
  const { database, connection, relationships, print } = options;
  const replicationFactor =
    options.replicationFactor ?? REPLICATION[isDevelopment() ? 'development' : 'production'];

  await retryTransient(() => migrateOnce(database), PATIENCE);
  print('Database: at the newest schema.');

  const outcomes = await retryTransient(
    () => createTopics(connection, topicCatalog, replicationFactor),
    PATIENCE,
  );
  for (const outcome of outcomes) print(describeOutcome(outcome));

  if (relationships === undefined) {
    print('Relationships: OPENFGA_API_URL is not set, so there is nothing to do.');
    return;
  }
  // The lock of our own database: the other service has none, and two jobs must not make two stores.
  const told = () => alone(database, () => provisionRelationships(relationships));
  print(`Relationships: ${await retryTransient(told, PATIENCE)}`);
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
