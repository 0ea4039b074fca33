import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';

const ROWS_PER_PASS = 500;
const TOPIC = 'bare.relay';

interface Row {
  id: string;
  key: string;
  value: string;
}

/** The least that brings rows to Kafka: SELECT, one batch, UPDATE, one pass after the other. */
export interface BareRelay extends AsyncDisposable {
  /** Makes rows that wait. */
  fill: (rows: number, value: string) => Promise<void>;
  /** Brings them all to Kafka. */
  drain: () => Promise<void>;
}

export async function startBareRelay(databaseUrl: string, brokers: string): Promise<BareRelay> {
  const running = new AsyncDisposableStack();
  const client = new pg.Client({ connectionString: databaseUrl });
  running.defer(() => client.end());
  await client.connect();
  await client.query(`
    CREATE TABLE bare_outbox (id bigserial PRIMARY KEY, key text, value json, published_at timestamptz);
    CREATE INDEX ON bare_outbox (id) WHERE published_at IS NULL`);
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 12 }], waitForLeaders: true });
  await admin.disconnect();
  const producer = kafka.producer();
  running.defer(() => producer.disconnect());
  await producer.connect();

  async function pass(): Promise<number> {
    const { rows } = await client.query<Row>(
      `SELECT id, key, value::text FROM bare_outbox WHERE published_at IS NULL
        ORDER BY id LIMIT ${ROWS_PER_PASS}`,
    );
    if (rows.length === 0) return 0;
    await producer.send({ topic: TOPIC, acks: -1, messages: rows });
    await client.query('UPDATE bare_outbox SET published_at = now() WHERE id = ANY ($1)', [
      rows.map(({ id }) => id),
    ]);
    return rows.length;
  }

  return {
    fill: async (rows, value) => {
      await client.query(
        `INSERT INTO bare_outbox (key, value)
         SELECT 'bench:session-' || number, $2::json FROM generate_series(1, $1::int) AS number`,
        [rows, value],
      );
    },
    drain: async () => {
      while ((await pass()) > 0);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
