import { execFile } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  createTestDatabase,
  createTestKafka,
  createTestRedis,
  freePort,
  startModelServer,
  startHttpServer,
} from '@soma/testing';
import { kafka } from './kafka.ts';
import { postgres } from './postgres.ts';
import { runProbe } from './probe.ts';
import { redis } from './redis.ts';
import { slm } from './slm.ts';

const CANARY = 'canary-Zk3vQ9';
const stack = new AsyncDisposableStack();
let closed: string;

beforeAll(async () => {
  closed = `127.0.0.1:${await freePort()}`;
});
afterAll(() => stack.disposeAsync());

describe('check-postgres', () => {
  it('says that the database answers, and how fast', async () => {
    const database = stack.use(await createTestDatabase());
    const report = await runProbe(postgres, { DATABASE_URL: database.ownerUrl });
    expect(report).toMatchObject({ check: 'postgres', ok: true, version: expect.any(String) });
    expect(report.latency_ms).toBeGreaterThanOrEqual(0);
  });

  it('fails on a database that does not exist', async () => {
    const database = stack.use(await createTestDatabase());
    const url = new URL(database.ownerUrl);
    url.pathname = 'nowhere';
    const report = await runProbe(postgres, { DATABASE_URL: url.href });
    expect(report).toMatchObject({ ok: false, error: expect.stringContaining('nowhere') });
  });

  it('P8: says that nobody listens without telling the password', async () => {
    const url = `postgresql://soma:${CANARY}@${closed}/soma`;
    const report = await runProbe(postgres, { DATABASE_URL: url });
    expect(report).toMatchObject({ ok: false, error: expect.stringContaining('ECONNREFUSED') });
    expect(JSON.stringify(report)).not.toContain(CANARY);
  });
});

describe('check-redis', () => {
  it('says that Redis answers', async () => {
    const { url } = await createTestRedis();
    expect(await runProbe(redis, { REDIS_URL: url })).toMatchObject({ check: 'redis', ok: true });
  });

  it('P8: fails on a wrong password without telling it', async () => {
    const url = new URL((await createTestRedis()).url);
    url.username = 'nobody';
    url.password = CANARY;
    const report = await runProbe(redis, { REDIS_URL: url.href });
    expect(report).toMatchObject({ ok: false, error: expect.stringContaining('WRONGPASS') });
    expect(JSON.stringify(report)).not.toContain(CANARY);
  });

  it('says that nobody listens', async () => {
    const report = await runProbe(redis, { REDIS_URL: `redis://${closed}` });
    expect(report).toMatchObject({ ok: false, error: expect.stringContaining('ECONNREFUSED') });
  });
});

describe('check-kafka', () => {
  it('counts the brokers', async () => {
    const { brokers } = createTestKafka();
    const report = await runProbe(kafka, { KAFKA_BROKERS: brokers });
    expect(report).toMatchObject({ check: 'kafka', ok: true, brokers: 1 });
  });

  it('says that nobody listens', async () => {
    const report = await runProbe(kafka, { KAFKA_BROKERS: closed });
    expect(report).toMatchObject({ ok: false, error: expect.stringContaining('ECONNREFUSED') });
  });
});

describe('check-slm', () => {
  const models = { SLM_MODEL: 'a', SLM_UTILITY_MODEL: 'b', SLM_EMBEDDING_MODEL: 'c' };

  it('finds the configured models in the list', async () => {
    const server = stack.use(await startModelServer({ models: ['a', 'b', 'c', 'd'] }));
    const environment = { ...models, SLM_BASE_URL: server.url, SLM_API_KEY: CANARY };
    const report = await runProbe(slm, environment);
    expect(report).toMatchObject({ check: 'slm', ok: true, models: ['a', 'b', 'c'] });
  });

  it('names a configured model that is not listed', async () => {
    const server = stack.use(await startModelServer({ models: ['a', 'c'] }));
    const environment = { ...models, SLM_BASE_URL: server.url, SLM_API_KEY: CANARY };
    const report = await runProbe(slm, environment);
    expect(report).toMatchObject({ ok: false, error: expect.stringContaining('models b.') });
  });

  it('P8: sends the key as a bearer token and does not tell it when it is refused', async () => {
    const seen: (string | undefined)[] = [];
    await using server = await startHttpServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(401).end(CANARY);
    });
    const url = `${server.url}/v1`;
    const report = await runProbe(slm, { SLM_BASE_URL: url, SLM_API_KEY: CANARY });
    expect(seen).toEqual([`Bearer ${CANARY}`]);
    expect(report).toMatchObject({ ok: false, error: 'It answered 401.' });
    expect(JSON.stringify(report)).not.toContain(CANARY);
  });

  it('says that no key is set', async () => {
    expect(await runProbe(slm, {})).toMatchObject({ ok: false, error: 'SLM_API_KEY is not set.' });
  });
});

describe('the command line', () => {
  const command = `${import.meta.dirname}/../check-redis`;

  function run(environment: Record<string, string>): Promise<{ code: unknown; lines: string[] }> {
    return new Promise((resolve) => {
      const env = { PATH: process.env['PATH'], ...environment };
      execFile(command, { env }, (error, output) => {
        resolve({ code: error?.code ?? 0, lines: output.trimEnd().split('\n') });
      });
    });
  }

  it('prints one line of JSON and exits with 0, or with 1 on a fault', async () => {
    const { url } = await createTestRedis();
    const good = await run({ REDIS_URL: url });
    expect(good.code).toBe(0);
    expect(good.lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([{ ok: true }]);
    const bad = await run({ REDIS_URL: `redis://${closed}` });
    expect(bad.code).toBe(1);
    expect(bad.lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([{ ok: false }]);
  });
});
