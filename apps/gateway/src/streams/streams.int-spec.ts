import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { StreamTicket } from '@soma/contracts';
import { newIdentifier } from '@soma/kernel';
import { openEventStream, patientFetch, until } from '@soma/testing';
import { openSocket, outline, readSocket } from './spec-support.ts';
import { pathOf, type ScriptedTurn } from './scripted-turn/spec-support.ts';
import { isFinal, Stage, TEXT, WHOLE } from './stage/spec-support.ts';

/** An answer too large to be repeated: each gateway would read all of it every two seconds. */
const MEGABYTES = { isRepeated: false };

describe('streams of two gateways', () => {
  const running = new AsyncDisposableStack();
  let stage: Stage;
  let one: string;
  let other: string;

  beforeAll(async () => {
    stage = await Stage.open(running);
    ({ one, other } = stage);
  });

  // Also when the set-up fails half-way: a server left behind would keep the test run from ending.
  afterAll(() => running.disposeAsync());

  it('serves an answer whole from a gateway that was started in the middle of it', async () => {
    const turn = await stage.openAnswer();
    const { url } = await stage.startPod();
    const whole = stage.read(url + pathOf(turn), { until: isFinal });
    await turn.repeatText();
    await turn.row('assistant.final', { message: TEXT });
    expect(outline(await whole)).toEqual(WHOLE);
  });

  it('reads rows from the timeline that Kafka lost, as soon as a later one is heard', async () => {
    const turn = await stage.begin();
    const whole = stage.read(one + pathOf(turn), { until: isFinal });
    await turn.row('assistant.started', { keep: 0 }, { isHeard: false });
    await turn.piece(TEXT);
    await turn.row('session.updated', { turn_id: null }, { isHeard: false });
    await turn.row('assistant.final', { message: TEXT });
    expect(outline(await whole).map(([type, seq]) => `${type} ${seq}`)).toEqual([
      ...['user.message 1', 'assistant.started 2', 'assistant.delta 2'],
      ...['session.updated 3', 'assistant.final 4'],
    ]);
  });

  it('finds within seconds what nothing in Kafka speaks of', async () => {
    const turn = await stage.begin();
    const whole = stage.read(one + pathOf(turn), { until: isFinal });
    await turn.row('assistant.started', { keep: 0 }, { isHeard: false });
    await turn.row('assistant.final', { message: TEXT }, { isHeard: false });
    expect(outline(await whole)).toEqual(WHOLE);
  });

  it('begins with the oldest unfinished message, without text of what came before', async () => {
    const turn = await stage.openAnswer();
    const next = await stage.begin(turn.sessionId);
    await turn.row('assistant.final', { message: TEXT });
    await stage.database.execute(
      `UPDATE conversation.turns SET state = 'done' WHERE session_id = $1 AND seq = 1`,
      [turn.sessionId],
    );
    const received = await stage.read(one + pathOf(next), { until: isFinal });
    expect(outline(received).map(([type, seq]) => `${type} ${seq}`)).toEqual([
      ...['user.message 3', 'assistant.final 4'],
    ]);
  });

  it('shows thinking without an id, and does not replay it', async () => {
    const turn = await stage.begin();
    await turn.row('assistant.started', { keep: 0 });
    const live = stage.read(one + pathOf(turn), { until: isFinal });
    await until(async () => {
      await turn.thinking('Hm.');
      return (await countOf(one, 'soma_streams_open')) > 0;
    });
    await turn.thinking('Hm.');
    await turn.row('assistant.final', { message: TEXT });
    const thoughts = (await live).filter(({ event }) => event.type === 'assistant.thinking');
    expect(thoughts.length).toBeGreaterThan(0);
    expect(thoughts.filter(({ id }) => id !== undefined)).toEqual([]);
    expect(thoughts[0]?.event.cursor).toBe('2.0');
    expect(outline(await stage.read(one + pathOf(turn), { until: isFinal }))).toEqual(WHOLE);
  });

  it('ends a stream whose reader is too slow, and lets it resume', async () => {
    const { url } = await stage.startPod({ STREAM_BUFFER_BYTES: '1024' });
    const turn = await stage.begin();
    const slow = connect(Number(new URL(url).port), '127.0.0.1').pause();
    running.defer(() => void slow.destroy());
    const { authorization = '' } = await stage.headersOf();
    slow.write(
      `GET ${pathOf(turn)} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\n\r\n`,
    );
    const closed = once(slow, 'close');
    await turn.row('assistant.started', { keep: 0 }, MEGABYTES);
    await streamUntilTooSlow(turn, { url, kind: 'sse' });
    slow.on('error', () => undefined).resume();
    await closed;
    await turn.row('assistant.final', { message: turn.text });
    const resumed = await stage.read(url + pathOf(turn), { until: isFinal });
    expect(outline(resumed).at(-1)?.[2]).toBe(turn.text);
  });

  it('closes the WebSocket of a reader that is too slow with 1013', async () => {
    const { url } = await stage.startPod({ STREAM_BUFFER_BYTES: '1024' });
    const turn = await stage.begin();
    const slow = await openSocket(`${url}/v1/session/${turn.sessionId}/stream`, {
      headers: await stage.headersOf(),
    });
    running.defer(() => {
      slow.terminate();
    });
    const closed = once(slow, 'close');
    slow.pause();
    await turn.row('assistant.started', { keep: 0 }, MEGABYTES);
    await streamUntilTooSlow(turn, { url, kind: 'websocket' });

    slow.resume();

    expect(await closed).toEqual([1013, Buffer.from('too_slow')]);
  });

  it('ends streams when it stops: with `retry`, and with 1012', async () => {
    const pod = await stage.startPod();
    const turn = await stage.begin();
    const events = await openEventStream(pod.url + pathOf(turn), {
      headers: await stage.headersOf(),
    });
    const socket = await openSocket(`${pod.url}/v1/session/${turn.sessionId}/stream`, {
      headers: await stage.headersOf(),
    });
    const closed = once(socket, 'close');
    const types: string[] = [];
    const ended = (async () => {
      for await (const { event } of events) types.push(event);
    })();
    await until(() => types.includes('user.message'));
    // What it was told when it was opened.
    events.retryMs = undefined;
    await pod.stop();
    await ended;
    expect(types).not.toContain('assistant.final');
    expect(events.retryMs).toBe(1000);
    expect(await closed).toEqual([1012, expect.anything()]);
  });

  it('ends streams of a session that is deleted', async () => {
    const turn = await stage.begin();
    const url = one + pathOf(turn);
    const stream = stage.read(url, {});
    await until(async () => (await countOf(one, 'soma_streams_open')) > 0);
    const headers = await stage.headersOf();
    const removed = await fetch(`${one}/v1/session/${turn.sessionId}`, {
      method: 'DELETE',
      headers,
    });
    expect(removed.status).toBe(204);
    expect((await stream).map(({ event }) => event.type)).not.toContain('assistant.final');
    expect((await fetch(url, { headers })).status).toBe(404);
  });

  it('refuses what is no cursor of the session, and sessions that are not there', async () => {
    const turn = await stage.openAnswer();
    await turn.row('assistant.final', { message: TEXT });
    const headers = await stage.headersOf();
    const statusOf = async (path: string, more: Record<string, string> = {}): Promise<number> => {
      const response = await fetch(one + path, { headers: { ...headers, ...more } });
      await response.body?.cancel();
      return response.status;
    };
    const path = pathOf(turn);
    const bad = ['x', '-1', '1.', '4.0', '1.1', `2.${TEXT.length + 1}`, '99999999999999.0', ''];
    for (const cursor of bad) expect(await statusOf(`${path}?cursor=${cursor}`)).toBe(400);
    expect(await statusOf(`${path}?cursor=0`, { 'last-event-id': '9.0' })).toBe(400);
    expect(await statusOf(`${path}?cursor=9.0`, { 'last-event-id': '2.1' })).toBe(200);
    expect(await statusOf('/v1/session/nobody/events')).toBe(404);
    expect(await statusOf(path, await stage.headersOf('globex'))).toBe(404);
    expect(await statusOf(path, { authorization: '' })).toBe(401);
  });

  it('opens one stream of one session with a ticket', async () => {
    const turn = await stage.openAnswer();
    await turn.row('assistant.final', { message: TEXT });
    const another = await stage.begin();
    const ticketFor = async ({ sessionId }: ScriptedTurn): Promise<string> => {
      const response = await fetch(`${one}/v1/session/${sessionId}/stream-ticket`, {
        ...{ method: 'POST', headers: await stage.headersOf() },
      });
      expect(response.status).toBe(201);
      return ((await response.json()) as { ticket: string }).ticket;
    };
    const ticket = await ticketFor(turn);
    const foreign = await fetch(`${other}${pathOf(another)}?ticket=${ticket}`);
    expect(foreign.status).toBe(401);
    const stream = await openEventStream(`${other}${pathOf(turn)}?ticket=${ticket}`);
    stream[Symbol.dispose]();
    expect((await fetch(`${other}${pathOf(turn)}?ticket=${ticket}`)).status).toBe(401);

    const url = `${other}/v1/session/${turn.sessionId}/stream?cursor=0&ticket=`;
    const received = await readSocket(url + (await ticketFor(turn)), { until: isFinal });
    expect(outline(received)).toEqual(WHOLE);
    await expect(openSocket(`${url}${ticket}`)).rejects.toThrow('401');
  });

  it('takes a ticket for 30 seconds', async () => {
    const turn = await stage.begin();
    const issuedAfter = Date.now();
    const response = await fetch(`${one}/v1/session/${turn.sessionId}/stream-ticket`, {
      ...{ method: 'POST', headers: await stage.headersOf() },
    });
    const { ticket, expires_at } = (await response.json()) as StreamTicket;
    expect(Date.parse(expires_at)).toBeGreaterThanOrEqual(issuedAfter + 30_000);
    expect(Date.parse(expires_at)).toBeLessThanOrEqual(Date.now() + 30_000);

    await stage.database.execute(
      `UPDATE conversation.stream_tickets SET expires_at = now() WHERE session_id = $1`,
      [turn.sessionId],
    );
    expect((await fetch(`${one}${pathOf(turn)}?ticket=${ticket}`)).status).toBe(401);
  });

  it('takes frames over a WebSocket, and says what is wrong with one', async () => {
    const turn = await stage.begin();
    const headers = await stage.headersOf();
    const socket = await openSocket(`${one}/v1/session/${turn.sessionId}/stream?cursor=1.0`, {
      headers,
    });
    const replies: Record<string, unknown>[] = [];
    socket.on('message', (data: Buffer) => {
      replies.push(JSON.parse(data.toString()) as Record<string, unknown>);
    });
    const ask = async (frame: unknown): Promise<Record<string, unknown>> => {
      const count = replies.length;
      socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
      const isReply = (each: Record<string, unknown>): boolean =>
        String(each['type']).startsWith('reply.');
      return until(() => replies.slice(count).find(isReply));
    };
    const message = { type: 'message', message: 'And?', request_id: 'r1', idempotency_key: 'k1' };
    const accepted = await ask(message);
    expect(accepted).toMatchObject({ type: 'reply.accepted', request_id: 'r1', cursor: '2.0' });
    expect(await ask({ ...message, request_id: 'r2' })).toEqual({ ...accepted, request_id: 'r2' });
    expect(await ask({ ...message, message: 'Or?' })).toMatchObject({
      ...{ type: 'reply.problem', request_id: 'r1', problem: { code: 'idempotency_conflict' } },
    });
    expect(await ask({ type: 'cancel', turn_id: accepted['event_id'] })).toMatchObject({
      ...{ type: 'reply.cancelled', request_id: null, turn_id: accepted['event_id'] },
    });
    expect(await ask({ type: 'action', action: 'summarize', request_id: 'r3' })).toMatchObject({
      ...{ type: 'reply.accepted', request_id: 'r3', session_id: turn.sessionId },
    });
    expect(await ask('{"type":')).toMatchObject({ problem: { code: 'malformed_json' } });
    expect(await ask({ type: 'message', message: 'x', role: 'system' })).toMatchObject({
      problem: { code: 'invalid_request', fields: [{ path: 'role' }] },
    });
    const closed = once(socket, 'close');
    socket.send(`{"type":"message","message":"${'x'.repeat(1024 * 1024)}"}`);
    expect(await closed).toEqual([1009, expect.anything()]);
  });

  it('counts frames as requests: beyond the limit each is answered 429, and the stream goes on', async () => {
    const { url } = await stage.startPod({ RATE_LIMIT_SERVICE_PER_MINUTE: '10' });
    const headers = await stage.headersOf('frames');
    const sessionId = newIdentifier();
    await patientFetch(`${url}/v1/session/message`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ session_id: sessionId, message: 'Hello' }),
    });
    const socket = await openSocket(`${url}/v1/session/${sessionId}/stream`, { headers });
    const replies: { type: string; problem?: object }[] = [];
    socket.on('message', (data: Buffer) => {
      const reply = JSON.parse(data.toString()) as { type: string };
      if (reply.type.startsWith('reply.')) replies.push(reply);
    });

    for (let count = 0; count < 30; count++) socket.send('{"type":"message","message":"And?"}');
    await until(() => replies.length === 30);

    expect(replies[0]).toMatchObject({ type: 'reply.accepted' });
    const refused = replies.filter(({ type }) => type === 'reply.problem');
    expect(refused.length).toBeGreaterThan(9);
    for (const { problem } of refused) {
      expect(problem).toMatchObject({ status: 429, code: 'rate_limited' });
    }
    expect(socket.readyState).toBe(socket.OPEN);
    socket.terminate();
  });

  it('refuses a WebSocket before it is one', async () => {
    const turn = await stage.begin();
    const path = `${one}/v1/session/${turn.sessionId}/stream`;
    const headers = await stage.headersOf();
    await expect(openSocket(path)).rejects.toThrow('401');
    await expect(openSocket(`${path}?cursor=7.0`, { headers })).rejects.toThrow('400');
    await expect(openSocket(`${path}?token=7.0`, { headers })).rejects.toThrow('400');
    await expect(openSocket(`${one}/v1/session/nobody/stream`, { headers })).rejects.toThrow('404');
    await expect(openSocket(`${one}/v1/else`, { headers })).rejects.toThrow('404');
  });

  /** One piece after the other: a busy machine would still read them when the test is over. */
  async function streamUntilTooSlow(
    turn: ScriptedTurn,
    { url, kind }: { url: string; kind: string },
  ): Promise<void> {
    const metric = 'soma_stream_slow_readers_total';
    const before = await countOf(url, metric, kind);
    await until(async () => {
      for (let count = 0; count < 10; count++) await turn.piece('x'.repeat(50_000));
      return (await countOf(url, metric, kind)) > before;
    });
  }

  async function countOf(url: string, metric: string, kind = 'sse'): Promise<number> {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const [, count] = new RegExp(`^${metric}\\{kind="${kind}"\\} (\\d+)`, 'm').exec(metrics) ?? [];
    return Number(count ?? 0);
  }
});
