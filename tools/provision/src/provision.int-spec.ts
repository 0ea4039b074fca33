import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { topicCatalog } from '@soma/contracts';
import { loadConfig, Secret } from '@soma/kernel';
import { KafkaConnection } from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { createTestDatabase, createTestKafka, type TestDatabase } from '@soma/testing';
import { configSchema } from './provision.config.ts';
import { provision } from './provision.ts';

describe('provision', () => {
  const running = new AsyncDisposableStack();
  const kafka = running.use(createTestKafka());
  const config = loadConfig(configSchema, {
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_TOPIC_PREFIX: kafka.topicPrefix,
  });
  const logger = createLogger({ service: 'provision-tests', level: 'silent' });
  const connection = new KafkaConnection(config, { clientId: 'provision-tests', logger });
  let database: TestDatabase;

  beforeAll(async () => {
    database = running.use(await createTestDatabase());
  });
  afterAll(() => running.disposeAsync());

  async function run(): Promise<string[]> {
    const lines: string[] = [];
    await provision({
      database: new Secret(database.ownerUrl),
      connection,
      replicationFactor: 1,
      print: (line) => lines.push(line),
    });
    return lines;
  }

  it('makes everything once, also when two run at the same time, and says what it did', async () => {
    await Promise.all([run(), run()]);

    const names = topicCatalog.flatMap(({ name }) => [name, `${name}.dlq`]);
    expect(await run()).toEqual([
      'Database: at the newest schema.',
      ...names.map((name) => `Topic ${kafka.topicPrefix}${name}: exists.`),
    ]);
  });
});
