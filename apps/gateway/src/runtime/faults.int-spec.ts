import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import {
  type KafkaServer,
  type PostgresServer,
  type RedisServer,
  startKafka,
  startPostgres,
  startRedis,
  startTokenIssuer,
  until,
} from '@soma/testing';
import { Redis } from 'ioredis';
import {
  type GatewayServers,
  makeTopics,
  startGateway,
  type TestAnswer,
  type TestGateway,
} from '../spec-support.ts';

const MESSAGE = '/v1/session/message';

// Servers of its own, because it kills them.
describe('a gateway whose servers fail', () => {
  const running = new AsyncDisposableStack();
  let postgres: PostgresServer;
  let kafka: KafkaServer;
  let redis: RedisServer;
  let servers: GatewayServers;
  let gateway: TestGateway;

  beforeAll(async () => {
    // Each is disposed of also when another one fails to start.
    const use = async <Server extends AsyncDisposable>(starting: Promise<Server>) =>
      running.use(await starting);
    [postgres, kafka, redis] = await Promise.all([
      use(startPostgres()),
      use(startKafka()),
      use(startRedis()),
    ]);
    const issuer = running.use(await startTokenIssuer());
    const onKafka = { brokers: kafka.brokers, topicPrefix: '' };
    await Promise.all([migrate(new Secret(postgres.ownerUrl)), makeTopics(onKafka)]);
    const databaseUrl = await postgres.loginUrl('gateway');
    servers = { databaseUrl, kafka: onKafka, redisUrl: redis.url, issuer };
    gateway = running.use(await startGateway(servers, { OUTBOX_LIMIT: '50' }));
  });

  afterAll(() => running.disposeAsync(), 60_000);

  function send(session_id: string, key?: string): Promise<TestAnswer> {
    const headers = key === undefined ? {} : { 'idempotency-key': key };
    return gateway.post(MESSAGE, { session_id, message: 'Hello' }, { headers, isHasty: true });
  }

  function untilHealthIs(status: string): Promise<TestAnswer> {
    return until(async () => {
      const health = await gateway.get('/v1/health', { isHasty: true });
      return health.body['status'] === status ? health : undefined;
    });
  }

  async function countUnpublished(): Promise<number> {
    const [row] = await postgres.execute(
      'SELECT count(*) FROM conversation.session_events WHERE published_at IS NULL',
    );
    return Number(row?.['count']);
  }

  async function untilAllIsPublished(): Promise<void> {
    await until(async () => (await countUnpublished()) === 0);
  }

  it('says that it is well', async () => {
    const health = await untilHealthIs('ok');

    expect(health.status).toBe(200);
    expect(Object.keys(health.body['dependencies'] as object).sort()).toEqual([
      ...['identity', 'kafka', 'postgres', 'redis'],
    ]);
  });

  it('accepts without Redis, and writes to it again when it is back', async () => {
    await redis.kill();
    expect((await send('no-redis')).status).toBe(202);
    await untilHealthIs('degraded');

    await redis.start();
    const client = new Redis(redis.url);
    try {
      const cursor = await until(async () => {
        await send('redis-back');
        return (await client.hget('session:{acme:redis-back}:meta', 'cursor')) ?? undefined;
      });
      expect(cursor).toMatch(/^\d+\.0$/);
    } finally {
      client.disconnect();
    }
    await untilHealthIs('ok');
  });

  it('accepts without Kafka until too much waits, and publishes it when Kafka is back (P1)', async () => {
    await untilAllIsPublished();
    await kafka.kill();
    const accepted = await send('no-kafka');
    expect(accepted).toMatchObject({ status: 202, body: { cursor: '1.0' } });
    expect((await untilHealthIs('degraded')).status).toBe(200);

    const refused = await until(async () => {
      const answer = await send('no-kafka');
      return answer.status === 202 ? undefined : answer;
    });
    expect(refused).toMatchObject({ status: 502, body: { code: 'outbox_full' } });
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);

    await kafka.start();
    await untilAllIsPublished();
    await until(async () => (await send('kafka-back')).status === 202);
  });

  it('refuses without Postgres, and a repeat with the key takes effect once (P1, P3)', async () => {
    expect((await send('no-postgres', 'key-1')).status).toBe(202);
    await postgres.kill();

    const refused = await send('no-postgres', 'key-2');
    expect(refused).toMatchObject({ status: 503, body: { code: 'database_unavailable' } });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect((await gateway.get('/v1/session', { isHasty: true })).status).toBe(503);
    expect(await untilHealthIs('down')).toMatchObject({ status: 503 });

    await postgres.start();
    const repeated = await until(async () => {
      const answer = await send('no-postgres', 'key-2');
      return answer.status === 202 ? answer : undefined;
    });
    const again = await Promise.all([send('no-postgres', 'key-2'), send('no-postgres', 'key-1')]);

    expect(again.map(({ body }) => body['cursor'])).toEqual(['2.0', '1.0']);
    expect(repeated.body).toEqual(again[0].body);
    const rows = await postgres.execute(
      `SELECT seq FROM conversation.session_events WHERE session_id = 'no-postgres' ORDER BY seq`,
    );
    expect(rows).toEqual([{ seq: 1 }, { seq: 2 }]);
    await untilHealthIs('ok');
  });

  it('publishes what it has accepted before it stops', async () => {
    const stopping = await startGateway(servers);
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => stopping.post(MESSAGE, { message: 'Last words' })),
    );
    await stopping[Symbol.asyncDispose]();

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(await countUnpublished()).toBe(0);
  });

  it('removes what has had its time also while restored sessions cannot be erased', async () => {
    await postgres.execute(`
      REVOKE SELECT ON conversation.erased_sessions FROM gateway_sweep;
      INSERT INTO conversation.idempotency_keys
             (tenant_id, subject, operation, key, body_hash, created_at)
      VALUES ('acme', 'ann', 'POST /', 'old', '', now() - interval '25 hours')`);

    // A pod looks when it starts.
    running.use(await startGateway(servers));

    await until(async () => {
      const left = await postgres.execute(
        `SELECT FROM conversation.idempotency_keys WHERE key = 'old'`,
      );
      return left.length === 0;
    });
  });
});
