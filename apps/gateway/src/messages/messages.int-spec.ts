import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestDatabase, until } from '@soma/testing';
import { Redis } from 'ioredis';
import {
  createGatewayServers,
  startGateway,
  type TestAnswer,
  type TestGateway,
} from '../spec-support.ts';

const BUCKET = 'soma-files';
const MESSAGE = '/v1/session/message';
const ACTION = '/v1/session/action';

describe('accepting messages', () => {
  const running = new AsyncDisposableStack();
  let database: TestDatabase;
  let gateway: TestGateway;
  let other: TestGateway;
  let redis: Redis;

  beforeAll(async () => {
    const servers = await createGatewayServers(running);
    database = servers.database;
    redis = new Redis(servers.redisUrl);
    running.defer(() => {
      redis.disconnect();
    });
    gateway = running.use(await startGateway(servers, { STORAGE_BUCKET: BUCKET }));
    other = running.use(await startGateway(servers));
    await gateway.post('/v1/personas', { persona_id: 'helpdesk', name: 'Help desk' });
  });

  // Also when the set-up fails half-way: a server left behind would keep the test run from ending.
  afterAll(() => running.disposeAsync());

  async function timelineOf(session: string): Promise<Record<string, unknown>[]> {
    const { body } = await gateway.get(`/v1/session/${session}/timeline?limit=200`);
    return body['events'] as Record<string, unknown>[];
  }

  it('stores the session, the turn and the event before it answers', async () => {
    const attachments = [`s3://${BUCKET}/tenants/acme/minutes.pdf`];
    const metadata = { source: 'mail', tenant: 'acme' };

    const { status, body } = await gateway.post(MESSAGE, {
      ...{ session_id: 'kick-off', persona_id: 'helpdesk', message: 'Hello 👋🏽' },
      ...{ metadata, attachments, output_schema: { type: 'object' } },
    });

    expect(status).toBe(202);
    expect(body).toEqual({ session_id: 'kick-off', event_id: expect.any(String), cursor: '1.0' });
    expect(await timelineOf('kick-off')).toMatchObject([
      {
        ...{ event_id: body['event_id'], turn_id: body['event_id'], seq: 1, cursor: '1.0' },
        ...{ tenant_id: 'acme', session_id: 'kick-off', persona_id: 'helpdesk' },
        ...{ type: 'user.message', role: 'user', message: 'Hello 👋🏽', metadata, attachments },
        ...{ output_schema: { type: 'object' }, principal: { subject: 'test-agent' } },
      },
    ]);
    const turns = await database.execute(
      `SELECT turn_id FROM conversation.turns WHERE session_id = 'kick-off' AND state = 'pending'`,
    );
    expect(turns).toEqual([{ turn_id: body['event_id'] }]);
  });

  it('opens a new session where none is named', async () => {
    const one = await gateway.post(MESSAGE, { message: 'one' });
    const another = await gateway.post(MESSAGE, { message: 'one' });

    expect(one.body['session_id']).not.toBe(another.body['session_id']);
  });

  it('numbers what two gateways accept for one session without gaps (P2)', async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        (index % 2 === 0 ? gateway : other).post(MESSAGE, {
          session_id: 'busy',
          message: `message ${index}`,
        }),
      ),
    );

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    const rows = await timelineOf('busy');
    expect(rows.map(({ seq }) => seq)).toEqual(Array.from({ length: 200 }, (_, at) => at + 1));
    // Each answer names the row that holds its own message.
    const byCursor = new Map(rows.map(({ cursor, message }) => [cursor, message]));
    expect(answers.map(({ body }) => byCursor.get(body['cursor']))).toEqual(
      answers.map((_, index) => `message ${index}`),
    );
  });

  it('keeps the tenants apart, also where they use the same ids (P6)', async () => {
    const send = (tenant: string): Promise<TestAnswer> =>
      gateway.post(MESSAGE, { session_id: 'shared', message: `of ${tenant}` }, { tenant });

    const answers = await Promise.all(['acme', 'globex'].map(send));

    expect(answers.map(({ body }) => body['cursor'])).toEqual(['1.0', '1.0']);
    for (const tenant of ['acme', 'globex']) {
      const { body } = await gateway.get('/v1/session/shared/timeline', { tenant });
      expect(body['events']).toMatchObject([{ tenant_id: tenant, message: `of ${tenant}` }]);
    }
  });

  it("knows the tenant's own personas alone, and stores nothing for another (P6)", async () => {
    const request = { session_id: 'persona', persona_id: 'helpdesk', message: 'Hello' };

    const theirs = await gateway.post(MESSAGE, request, { tenant: 'globex' });
    const own = await gateway.post(MESSAGE, request);
    const action = { session_id: 'persona', persona_id: 'nobody', action: 'summarize' };
    const unknown = await gateway.post(ACTION, action);

    expect(own.status).toBe(202);
    for (const answer of [theirs, unknown]) {
      expect(answer).toMatchObject({
        status: 422,
        body: { code: 'persona_not_found', fields: [{ path: 'persona_id' }] },
      });
    }
    expect((await gateway.get('/v1/session/persona', { tenant: 'globex' })).status).toBe(404);
    expect(await timelineOf('persona')).toHaveLength(1);
  });

  it('remembers the session in Redis, off the path', async () => {
    await gateway.post(MESSAGE, { session_id: 'noted', persona_id: 'helpdesk', message: 'one' });
    await gateway.post(MESSAGE, { session_id: 'noted', message: 'two' });

    const meta = await until(async () => {
      const found = await redis.hgetall('session:{acme:noted}:meta');
      return found['cursor'] === '2.0' ? found : undefined;
    });

    expect(meta).toEqual({
      session_id: 'noted',
      persona_id: 'helpdesk',
      cursor: '2.0',
      updated_at: expect.stringMatching(/^2.*Z$/),
    });
    expect(await redis.ttl('session:{acme:noted}:meta')).toBeGreaterThan(23 * 60 * 60);
  });

  describe('a quick action', () => {
    it('opens a turn that is stamped with it', async () => {
      await gateway.post(MESSAGE, { session_id: 'review', message: 'We ship on Friday.' });

      const { status, body } = await gateway.post(ACTION, {
        ...{ session_id: 'review', action: 'summarize', metadata: { source: 'button' } },
      });

      expect({ status, cursor: body['cursor'] }).toEqual({ status: 202, cursor: '2.0' });
      expect((await timelineOf('review'))[1]).toMatchObject({
        ...{ type: 'user.message', message: 'Summarize this conversation.', action: 'summarize' },
        metadata: { source: 'button', action: 'summarize' },
      });
    });

    it('needs a session of the tenant', async () => {
      await gateway.post(MESSAGE, { session_id: 'foreign', message: 'Hi' }, { tenant: 'globex' });

      for (const session_id of ['nowhere', 'foreign']) {
        const answer = await gateway.post(ACTION, { session_id, action: 'summarize' });
        expect(answer).toMatchObject({ status: 404, body: { code: 'session_not_found' } });
      }
    });

    it('is one of three, which a refusal names', async () => {
      const answer = await gateway.post(ACTION, { session_id: 'review', action: 'translate' });

      expect(answer).toMatchObject({ status: 422, body: { code: 'unknown_action' } });
      expect(answer.body['detail']).toContain('summarize, next_steps, status_report');
    });
  });

  describe('an idempotency key', () => {
    const request = (session: string) => ({
      headers: { 'idempotency-key': `order-of-${session}` },
      body: { session_id: session, message: 'Once only' },
    });

    /** One that has been answered already. */
    async function accepted(session: string): Promise<ReturnType<typeof request>> {
      const { headers, body } = request(session);
      expect(await gateway.post(MESSAGE, body, { headers })).toMatchObject({ status: 202 });
      return { headers, body };
    }

    it('gives concurrent repeats, on any pod, the one answer (P3)', async () => {
      const { headers, body } = request('ordered');
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? gateway : other).post(MESSAGE, body, { headers }),
        ),
      );

      expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([202]));
      expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size).toBe(1);
      expect(await timelineOf('ordered')).toHaveLength(1);
    });

    it('takes a body that is written otherwise for the same', async () => {
      const { headers } = await accepted('reordered');
      const text = '{ "message": "Once \\u006fnly", "session_id": "reordered" }';
      const answer = await gateway.post(MESSAGE, text, { headers });

      expect(answer).toMatchObject({ status: 202, body: { cursor: '1.0' } });
      expect(await timelineOf('reordered')).toHaveLength(1);
    });

    it('refuses another body', async () => {
      const { headers, body } = await accepted('ordered-once');
      const answer = await gateway.post(MESSAGE, { ...body, message: 'Other' }, { headers });

      expect(answer).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
      expect(await timelineOf('ordered-once')).toHaveLength(1);
    });

    it("is the tenant's and the route's own", async () => {
      const { headers, body } = await accepted('ordered-here');
      const action = { session_id: 'ordered-here', action: 'summarize' };
      const foreign = await gateway.post(MESSAGE, body, { headers, tenant: 'globex' });
      const elsewhere = await gateway.post(ACTION, action, { headers });

      expect([foreign.status, elsewhere.status]).toEqual([202, 202]);
      expect(await timelineOf('ordered-here')).toHaveLength(2);
    });

    it.each(['', 'x'.repeat(256), 'ä'])(
      'must be 1 to 255 printable characters: %j',
      async (key) => {
        const { body } = request('misordered');
        const answer = await gateway.post(MESSAGE, body, { headers: { 'idempotency-key': key } });

        expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_idempotency_key' } });
      },
    );
  });
});
