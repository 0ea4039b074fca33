import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rowEvent, session } from '@soma/contracts';
import { until } from '@soma/testing';
import { z } from 'zod';
import {
  createGatewayServers,
  startGateway,
  type TestGateway,
  type TestServers,
} from '../spec-support.ts';

const page = z.object({ events: z.array(rowEvent), next_cursor: z.string().nullable() });
const list = z.object({ sessions: z.array(session), next_cursor: z.string().nullable() });

describe('/v1/session', () => {
  const running = new AsyncDisposableStack();
  let servers: TestServers;
  let gateway: TestGateway;

  beforeAll(async () => {
    servers = await createGatewayServers(running);
    gateway = running.use(await startGateway(servers));
  });

  afterAll(() => running.disposeAsync());

  async function say(session_id: string, message: string, tenant = 'acme'): Promise<string> {
    const { body } = await gateway.post('/v1/session/message', { session_id, message }, { tenant });
    return String(body['event_id']);
  }

  it('shows a session to its tenant alone (P6)', async () => {
    await say('mine', 'one');

    const own = await gateway.get('/v1/session/mine');
    const foreign = await gateway.get('/v1/session/mine', { tenant: 'globex' });

    expect(own.status).toBe(200);
    expect(session.parse(own.body)).toMatchObject({
      ...{ session_id: 'mine', persona_id: null, created_by: 'test-agent', cursor: '1.0' },
    });
    expect(foreign).toMatchObject({ status: 404, body: { code: 'session_not_found' } });
  });

  it('lists sessions page by page, the newest first', async () => {
    const names = ['list-1', 'list-2', 'list-3'];
    for (const name of names) {
      await say(name, 'hello', 'lister');
    }

    const first = await gateway.get('/v1/session?limit=2', { tenant: 'lister' });
    const { sessions, next_cursor } = list.parse(first.body);
    const path = `/v1/session?limit=2&cursor=${encodeURIComponent(next_cursor ?? '')}`;
    const second = list.parse((await gateway.get(path, { tenant: 'lister' })).body);

    expect([...sessions, ...second.sessions].map(({ session_id }) => session_id)).toEqual([
      ...['list-3', 'list-2', 'list-1'],
    ]);
    expect(second.next_cursor).toBeNull();
  });

  it('reads a timeline page by page, in order', async () => {
    for (const message of ['one', 'two', 'three']) {
      await say('long', message);
    }

    const first = page.parse((await gateway.get('/v1/session/long/timeline?limit=2')).body);
    const rest = await gateway.get(`/v1/session/long/timeline?cursor=${first.next_cursor ?? ''}`);
    const second = page.parse(rest.body);

    expect(rest.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(first.next_cursor).toBe('2.0');
    expect([...first.events, ...second.events].map(({ message }) => message)).toEqual([
      ...['one', 'two', 'three'],
    ]);
    expect(second.next_cursor).toBeNull();
  });

  it('answers an empty page beyond the end of a timeline', async () => {
    await say('short', 'one');

    const { status, body } = await gateway.get('/v1/session/short/timeline?cursor=999999999999999');

    expect({ status, body }).toEqual({ status: 200, body: { events: [], next_cursor: null } });
  });

  it.each(['', '/timeline'])('knows no session of another tenant: GET …%s', async (path) => {
    await say('theirs', 'secret', 'globex');

    const answer = await gateway.get(`/v1/session/theirs${path}`);

    expect(answer).toMatchObject({ status: 404, body: { code: 'session_not_found' } });
  });

  describe('cancel', () => {
    it('ends the turn that is named, once', async () => {
      const turn_id = await say('cancelled', 'stop me');
      const cancel = (key: string): ReturnType<TestGateway['post']> =>
        gateway.post(
          '/v1/session/cancelled/cancel',
          { turn_id },
          { headers: { 'idempotency-key': key } },
        );

      const [first, repeat, late] = [await cancel('k1'), await cancel('k1'), await cancel('k2')];

      expect(first).toMatchObject({
        status: 200,
        body: { session_id: 'cancelled', turn_id, cursor: '2.0', event_id: expect.any(String) },
      });
      expect(repeat.body).toEqual(first.body);
      expect(late).toMatchObject({ status: 409, body: { code: 'turn_ended' } });
    });

    it('means the running turn where none is named', async () => {
      await say('queued', 'nobody runs this');

      const { status, body } = await gateway.post('/v1/session/queued/cancel', undefined, {
        method: 'POST',
      });

      expect({ status, code: body['code'] }).toEqual({ status: 409, code: 'turn_ended' });
    });

    it('knows neither foreign sessions nor unknown turns', async () => {
      await say('cancel-theirs', 'run', 'globex');
      await say('cancel-mine', 'run');

      const foreign = await gateway.post('/v1/session/cancel-theirs/cancel', {});
      const unknown = await gateway.post('/v1/session/cancel-mine/cancel', { turn_id: 'x' });

      expect([foreign.status, foreign.body['code']]).toEqual([404, 'session_not_found']);
      expect([unknown.status, unknown.body['code']]).toEqual([404, 'turn_not_found']);
    });
  });

  describe('delete', () => {
    it('erases the session and never gives its id away again', async () => {
      await say('gone', 'canary-7341');

      const deleted = await gateway.send('/v1/session/gone', { method: 'DELETE' });
      const [found, timeline, again] = await Promise.all([
        gateway.get('/v1/session/gone'),
        gateway.get('/v1/session/gone/timeline'),
        gateway.post('/v1/session/message', { session_id: 'gone', message: 'Hello?' }),
      ]);

      expect([deleted.status, await deleted.text()]).toEqual([204, '']);
      expect([found.status, timeline.status]).toEqual([404, 404]);
      expect(again).toMatchObject({ status: 409, body: { code: 'session_deleted' } });
      expect((await gateway.send('/v1/session/gone', { method: 'DELETE' })).status).toBe(404);
    });

    it('erases again what a backup brought back, when a gateway starts', async () => {
      await say('restored', 'canary-2210');
      await servers.database.execute(
        `INSERT INTO conversation.erased_sessions VALUES ('acme', 'restored', now())`,
      );

      await using later = await startGateway(servers);

      await until(async () =>
        (await later.get('/v1/session/restored')).status === 404 ? true : undefined,
      );
      const rows = await servers.database.execute(
        `SELECT FROM conversation.session_events WHERE envelope::text LIKE '%canary-2210%'`,
      );
      expect(rows).toEqual([]);
    });

    it('leaves the sessions of other tenants alone', async () => {
      await say('kept', 'mine', 'globex');

      const foreign = await gateway.send('/v1/session/kept', { method: 'DELETE' });

      expect(foreign.status).toBe(404);
      expect((await gateway.get('/v1/session/kept', { tenant: 'globex' })).status).toBe(200);
    });
  });
});
