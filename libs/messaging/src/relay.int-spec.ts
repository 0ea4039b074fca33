import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { createLogger } from '@soma/observability';
import { openDataSource } from '@soma/persistence';
import { createTestDatabase, createTestKafka, freePort } from '@soma/testing';
import type { DataSource } from 'typeorm';
import { CoalescingProducer } from './coalescing-producer.ts';
import type { Outbox, PublishableRow } from './outbox.ts';
import { MAX_RECORD_BYTES } from './outgoing-record.ts';
import { Relay } from './relay.ts';
import { connectTo, eventually, makeTopics, noteTopic, recordsOf } from './spec-support.ts';

const topic = noteTopic('relayed');
const logger = createLogger({ service: 'relay-tests', level: 'silent' });

interface StoredRow {
  id: string;
  value: string;
}

/** An outbox as small as it can be, on a real database. */
class TableOutbox implements Outbox {
  constructor(private readonly database: DataSource) {}

  takeUnpublished: Outbox['takeUnpublished'] = (limit, minAgeMs, publish) =>
    this.database.transaction(async (manager) => {
      const rows = await manager.query<StoredRow[]>(
        `SELECT id, value FROM outbox
          WHERE published_at IS NULL
            AND written_at <= statement_timestamp() - make_interval(secs => $2 / 1000.0)
          LIMIT $1 FOR UPDATE SKIP LOCKED`,
        [limit, minAgeMs],
      );
      await publish(rows.map(toPublishable));
      const ids = rows.map(({ id }) => id);
      await manager.query('UPDATE outbox SET published_at = now() WHERE id = ANY ($1)', [ids]);
      return rows.length;
    });

  async markPublished(ids: string[]): Promise<void> {
    await this.database.query(
      'UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY ($1)',
      [ids],
    );
  }

  async backlog(): Promise<{ count: number; oldestAgeSeconds: number }> {
    const [backlog] = await this.database.query<{ count: number; oldestAgeSeconds: number }[]>(
      `SELECT count(*)::int AS count,
              coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0)::float8
                AS "oldestAgeSeconds"
         FROM outbox WHERE published_at IS NULL`,
    );
    return backlog ?? { count: 0, oldestAgeSeconds: 0 };
  }

  /** Commits rows, as old as is said. */
  async write(values: string[], ageMs = 0): Promise<PublishableRow[]> {
    const rows = await this.database.query<StoredRow[]>(
      `INSERT INTO outbox (value, written_at)
       SELECT value, clock_timestamp() - make_interval(secs => $2 / 1000.0)
         FROM unnest($1::text[]) AS value
       RETURNING id, value`,
      [values, ageMs],
    );
    return rows.map(toPublishable);
  }
}

function toPublishable({ id, value }: StoredRow): PublishableRow {
  return { id, records: [{ topic: topic.name, key: 'acme:s1', value }] };
}

describe('Relay', () => {
  const running = new AsyncDisposableStack();
  const kafka = running.use(createTestKafka());
  let database: DataSource;
  let outbox: TableOutbox;

  beforeAll(async () => {
    const { ownerUrl } = running.use(await createTestDatabase());
    database = await openDataSource({ url: new Secret(ownerUrl) });
    running.defer(() => database.destroy());
    await database.query(
      `CREATE TABLE outbox (
         id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, value text NOT NULL,
         written_at timestamptz NOT NULL, published_at timestamptz)`,
    );
    outbox = new TableOutbox(database);
    await makeTopics(connectTo(kafka), topic);
  });
  afterAll(() => running.disposeAsync());
  // A relay that goes on polling would publish the next test's rows.
  let processes: AsyncDisposableStack;
  beforeEach(async () => {
    processes = new AsyncDisposableStack();
    await database.query('TRUNCATE outbox');
  });
  afterEach(() => processes.disposeAsync());

  /** A process of its own, with its own way to Kafka. */
  function createRelay(brokers = kafka.brokers): Relay {
    const producer = new CoalescingProducer(connectTo({ ...kafka, brokers }));
    const relay = new Relay({ producer, outbox, logger, backlogLimit: 1_000 });
    processes.defer(async () => {
      await relay.lastPass();
      await producer.onApplicationShutdown();
    });
    return relay;
  }

  async function published(beginning: string): Promise<string[]> {
    const records = await recordsOf(connectTo(kafka), topic.name);
    return records.map(({ value }) => value).filter((value) => value.startsWith(beginning));
  }

  async function expectAllMarked(): Promise<void> {
    await eventually(async () => {
      expect(await outbox.backlog()).toMatchObject({ count: 0 });
    });
  }

  it('sends what was just committed from memory, in order, and marks it, without any poll', async () => {
    const relay = createRelay();
    const values = Array.from({ length: 1_200 }, (_, index) => `fresh ${index}`);

    relay.publish(await outbox.write(values));

    await expectAllMarked();
    expect(await published('fresh')).toEqual(values);
  });

  it('finds what a process that died left behind', async () => {
    await outbox.write(
      Array.from({ length: 1_100 }, (_, index) => `old ${index}`),
      60_000,
    );
    createRelay().onApplicationBootstrap();

    await expectAllMarked();
    expect(new Set(await published('old')).size).toBe(1_100);
  });

  it('shares a backlog with the relays of other processes, each row once', async () => {
    await outbox.write(
      Array.from({ length: 3_000 }, (_, index) => `shared ${index}`),
      60_000,
    );
    createRelay().onApplicationBootstrap();
    createRelay().onApplicationBootstrap();

    await expectAllMarked();
    const values = await published('shared');
    expect([values.length, new Set(values).size]).toEqual([3_000, 3_000]);
  });

  it('drops nothing while Kafka is down: rows stay unmarked, and count as backlog (P1)', async () => {
    const relay = createRelay(`127.0.0.1:${await freePort()}`);
    relay.onApplicationBootstrap();
    relay.publish(await outbox.write(['kept'], 60_000));

    await eventually(() => {
      expect(relay.backlog.count).toBe(1);
      expect(relay.backlog.oldestAgeSeconds).toBeGreaterThan(59);
    });
    await relay.lastPass();
    expect(await outbox.backlog()).toMatchObject({ count: 1 });

    createRelay().onApplicationBootstrap();
    await expectAllMarked();
    expect(await published('kept')).toEqual(['kept']);
  });

  it('passes on what is left when its process stops, however young', async () => {
    await outbox.write(['last'], 0);

    await createRelay().lastPass();

    await expectAllMarked();
    expect(await published('last')).toEqual(['last']);
  });

  it('is not held up by a row that no topic takes (P5)', async () => {
    await outbox.write(['x'.repeat(MAX_RECORD_BYTES), 'beside it'], 60_000);

    createRelay().onApplicationBootstrap();

    await expectAllMarked();
    expect(await published('beside')).toEqual(['beside it']);
  });
});
