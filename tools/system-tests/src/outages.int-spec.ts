import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RowEvent } from '@soma/contracts';
import {
  type KafkaServer,
  type PostgresServer,
  startKafka,
  startPostgres,
  until,
} from '@soma/testing';
import { Redis } from 'ioredis';
import { Client } from './client.ts';
import { followSession } from './follow-session.ts';
import { startSystem, type System } from './system.ts';

describe('promises while servers fail', () => {
  const running = new AsyncDisposableStack();
  let postgres: PostgresServer;
  let kafka: KafkaServer;
  let system: System;
  let client: Client;

  beforeAll(async () => {
    // Each is disposed of also when the other one fails to start.
    const use = async <Server extends AsyncDisposable>(starting: Promise<Server>) =>
      running.use(await starting);
    [postgres, kafka] = await Promise.all([use(startPostgres()), use(startKafka())]);
    const servers = { postgres, brokers: kafka.brokers };
    system = await startSystem(running, { gateways: 2, workers: 2, servers });
    client = new Client(await system.tokenFor());
  });

  afterAll(() => running.disposeAsync());

  const ids = (count: number) => Array.from({ length: count }, () => randomUUID());
  const sayAll = (sessionIds: string[], text: string) =>
    Promise.all(sessionIds.map((id) => client.say(system.gateways, text, id)));

  /** Answers whatever is asked, and only as often as that: each message by one final. */
  async function expectAnswered(sessionIds: string[], messages: number): Promise<void> {
    for (const id of sessionIds) {
      const events = await until(() =>
        client.ended(system.gateways[0] as never, id, messages).catch(() => undefined),
      );
      expect(events.filter(({ type }) => type === 'assistant.error')).toEqual([]);
      expect(events.filter(({ type }) => type === 'assistant.final')).toHaveLength(messages);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    }
  }

  /** Streams of some of the sessions, each until so many turns have ended. */
  const followSome = (sessionIds: string[], turns: number) =>
    sessionIds.slice(0, 4).map((id) => followSession(client, system.gateways, { id, turns }));

  /** Each stream said all, in order, and no more. */
  async function expectWhole(following: Promise<RowEvent[]>[]): Promise<void> {
    for (const events of await Promise.all(following)) {
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    }
  }

  it('accepts and answers while Kafka is killed, and streams go on (P1, P4)', async () => {
    const sessions = ids(20);
    await sayAll(sessions, 'before');
    const following = followSome(sessions, 3);

    await kafka.kill();
    const during = sayAll(sessions, 'during');
    await during;
    await kafka.start();
    await sayAll(sessions, 'after');

    await expectAnswered(sessions, 3);
    await expectWhole(following);
    await until(async () => {
      const [row] = await system.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM conversation.session_events WHERE published_at IS NULL`,
      );
      return row?.count === 0;
    });
  });

  it('answers every message once across a restart of PostgreSQL, and streams go on (P1, P3, P4)', async () => {
    const sessions = ids(20);
    await sayAll(sessions, 'before');
    const following = followSome(sessions, 2);

    await postgres.kill();
    const health = await until(async () => {
      const response = await client.request(system.gateways[0] as never, '/v1/session');
      return response.status === 503 && response;
    });
    const during = sayAll(sessions, 'during');
    await postgres.start();
    await during;

    expect(health.headers.get('retry-after')).toMatch(/^\d+$/);
    await expectAnswered(sessions, 2);
    await expectWhole(following);
  });

  it('restarts no turn twice when PostgreSQL pauses for longer than a lease (rule 14)', async () => {
    const message = (index: number) =>
      `!attempts [[{"text":"a"},{"delay_ms":${2 * system.leaseMs}},{"text":"b"}],[{"text":"c"}]] ${index}`;
    const sessions = ids(8);
    await Promise.all(sessions.map((id, index) => client.say(system.gateways, message(index), id)));
    const callsOf = (index: number) =>
      system.models.calls.filter((call) => call.message === message(index)).length;
    await until(() => sessions.every((_, index) => callsOf(index) > 0));
    const following = followSome(sessions, 1);

    postgres.pause();
    await delay(1.5 * system.leaseMs);
    postgres.resume();

    await expectAnswered(sessions, 1);
    await expectWhole(following);
    expect(Math.max(...sessions.map((_, index) => callsOf(index)))).toBeLessThanOrEqual(2);
  });

  it('loses nothing but speed when Redis is flushed', async () => {
    const sessions = ids(10);
    await sayAll(sessions, 'before');
    const following = followSome(sessions, 2);
    const redis = new Redis(system.redisUrl);
    await redis.flushdb();
    redis.disconnect();

    await sayAll(sessions, 'after');

    await expectAnswered(sessions, 2);
    await expectWhole(following);
  });
});
