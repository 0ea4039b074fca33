import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import {
  createTestDatabase,
  createTestKafka,
  createTestRedis,
  startTokenIssuer,
  type TestDatabase,
} from '@soma/testing';
import { makeTopics, startGateway, type TestGateway } from '../spec-support.ts';

const BUCKET = 'soma-files';
const MESSAGE = '/v1/session/message';
const ACTION = '/v1/session/action';

describe('accepting messages', () => {
  const running = new AsyncDisposableStack();
  let database: TestDatabase;
  let gateway: TestGateway;
  let other: TestGateway;

  beforeAll(async () => {
    database = running.use(await createTestDatabase());
    const kafka = running.use(createTestKafka());
    const issuer = running.use(await startTokenIssuer());
    await Promise.all([migrate(new Secret(database.ownerUrl)), makeTopics(kafka)]);
    const servers = {
      databaseUrl: await database.loginUrl('gateway'),
      kafka,
      redisUrl: (await createTestRedis()).url,
      issuer,
    };
    gateway = running.use(await startGateway(servers, { STORAGE_BUCKET: BUCKET }));
    other = running.use(await startGateway(servers));
  });

  // Also when the set-up fails half-way: a server left behind would keep the test run from ending.
  afterAll(() => running.disposeAsync());

  async function countRows(): Promise<number> {
    const [row] = await database.execute(
      `SELECT (SELECT count(*) FROM conversation.session_events)
            + (SELECT count(*) FROM conversation.sessions)
            + (SELECT count(*) FROM conversation.turns)
            + (SELECT count(*) FROM conversation.idempotency_keys) AS count`,
    );
    return Number(row?.['count']);
  }

  describe('stores the message before it answers', () => {
    it('with the session, the turn and the event', async () => {
      const answer = await gateway.post(MESSAGE, {
        session_id: 'kick-off',
        message: 'Hello 👋🏽',
        metadata: { source: 'mail', tenant: 'acme' },
        attachments: [`s3://${BUCKET}/tenants/acme/minutes.pdf`],
      });

      expect(answer).toMatchObject({
        status: 202,
        body: { session_id: 'kick-off', event_id: expect.any(String), cursor: '1.0' },
      });
      const { events } = (await gateway.post(`/v1/session/kick-off/timeline`, undefined)).body;
      expect(events).toMatchObject([
        {
          event_id: answer.body['event_id'],
          turn_id: answer.body['event_id'],
          tenant_id: 'acme',
          type: 'user.message',
          message: 'Hello 👋🏽',
          metadata: { source: 'mail', tenant: 'acme' },
          attachments: [`s3://${BUCKET}/tenants/acme/minutes.pdf`],
          principal: { subject: 'test-agent' },
        },
      ]);
    });

    it('in a new session where none is named', async () => {
      const one = await gateway.post(MESSAGE, { message: 'one' });
      const another = await gateway.post(MESSAGE, { message: 'one' });

      expect(one.body['session_id']).not.toBe(another.body['session_id']);
    });
  });
});
