import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { topicCatalog } from '@soma/contracts';
import { loadConfig, Secret } from '@soma/kernel';
import { KafkaConnection } from '@soma/messaging';
import { createLogger } from '@soma/observability';
import {
  createTestDatabase,
  createTestKafka,
  freePort,
  installedTool,
  type OpenFgaServer,
  startOpenFga,
  startTcpProxy,
  type TestDatabase,
} from '@soma/testing';
import { configSchema } from './provision.config.ts';
import { provision } from './provision.ts';
import { type RelationshipStore, provisionRelationships } from './relationships.ts';

const describeOpenFga = installedTool('openfga') ? describe : describe.skip;

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

  async function run(relationships?: RelationshipStore): Promise<string[]> {
    const lines: string[] = [];
    await provision({
      database: new Secret(database.ownerUrl),
      connection,
      replicationFactor: 1,
      relationships,
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
      'Relationships: OPENFGA_API_URL is not set, so there is nothing to do.',
    ]);
  });

  describeOpenFga('with OpenFGA', () => {
    const token = new Secret('canary-Zk3vQ9');
    let openfga: OpenFgaServer;
    let store: RelationshipStore;

    beforeAll(async () => {
      openfga = running.use(await startOpenFga({ apiToken: token.reveal() }));
      store = { url: openfga.url, token, name: 'soma', model: MODEL };
    });

    async function ask(path: string): Promise<Record<string, unknown[]>> {
      const headers = { authorization: `Bearer ${token.reveal()}` };
      const response = await fetch(`${openfga.url}${path}`, { headers });
      return (await response.json()) as Record<string, unknown[]>;
    }

    it('makes one store and one model, also when two run at the same time', async () => {
      // A slow way to it, so that the two are at it together.
      await using proxy = await startTcpProxy(openfga.port);
      proxy.delay(200);
      const slow = { ...store, url: `http://127.0.0.1:${proxy.port}` };
      await Promise.all([run(slow), run(slow)]);

      expect((await run(store)).at(-1)).toMatch(/^Relationships: model \w+ is the newest\.$/);
      const { stores } = (await ask('/stores')) as { stores: { id: string; name: string }[] };
      expect(stores.map(({ name }) => name)).toEqual(['soma']);
      const models = await ask(`/stores/${stores[0]?.id ?? ''}/authorization-models`);
      expect(models['authorization_models']).toHaveLength(1);
    });

    it('writes a model that differs, and no other', async () => {
      await provisionRelationships(store);
      const changed = { ...store, model: `${MODEL}    define writer: [user]\n` };
      expect(await provisionRelationships(changed)).toContain('was written');
      expect(await provisionRelationships(changed)).toContain('is the newest');
    });

    it('waits for one that has not come up yet', async () => {
      await openfga.stop();
      const written = run(store);
      await openfga.start();
      expect((await written).at(-1)).toContain('was written');
    });

    it('P8: says what is wrong without telling the token', async () => {
      const refused = { ...store, token: new Secret('canary-wrong') };
      const fault = await provisionRelationships(refused).catch((error: unknown) => error);
      expect(String(fault)).toContain('answered 401');
      expect(String(fault)).not.toContain('canary');
      const nowhere = { ...store, url: `http://127.0.0.1:${await freePort()}` };
      await expect(provisionRelationships(nowhere)).rejects.toThrow('GET /stores of OpenFGA');
    });
  });
});

const MODEL = `model
  schema 1.1

type user

type session
  relations
    define reader: [user]
`;
