import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SessionEvent } from '@soma/contracts';
import { loadConfig, newIdentifier } from '@soma/kernel';
import { CoalescingProducer, KafkaConnection } from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { openEventStream, patientFetch, type TestDatabase, until } from '@soma/testing';
import { gatewayConfig } from '../gateway.config.ts';
import { createGatewayServers, startGateway, type TestServers } from '../spec-support.ts';
import {
  openSocket,
  outline,
  readSocket,
  type Received,
  ScriptedTurn,
  startCuttingRelay,
} from './spec-support.ts';

const PIECES = [
  'Gr\u00fc\u00dfe \u{1f44b}\u{1f3fd}',
  ', e\u0301t ',
  '"\u{1f469}\u200d\u{1f52c}"\n',
];
const TEXT = PIECES.join('');

const WHOLE = [
  ['user.message', 1, 'Hello'],
  ['assistant.started', 2, ''],
  ['assistant.delta', 2, TEXT],
  ['assistant.final', 3, TEXT],
];

/** The message that opens the turn, and what frames have besides their envelopes, at most. */
const MESSAGE_BYTES = 1000;
const CUTS_AT_ONCE = 200;
/** The framing has been cut at every byte by then; here the steps are. */
const STEP_CUT_BYTES = 37;

const isFinal = ({ type }: SessionEvent): boolean => type === 'assistant.final';
const endsText = (event: SessionEvent): boolean => 'to' in event && event.to === TEXT.length;

interface Pod {
  url: string;
  stop: () => Promise<void>;
}

interface ReadOptions {
  until?: (event: SessionEvent) => boolean;
  cutAfterBytes?: number;
  lastId?: string | undefined;
  onOpen?: () => void;
}

describe('streams of two gateways', () => {
  const running = new AsyncDisposableStack();
  let database: TestDatabase;
  let producer: CoalescingProducer;
  let servers: TestServers;
  let one: string;
  let other: string;

  beforeAll(async () => {
    servers = await createGatewayServers(running);
    database = servers.database;
    const { brokers, topicPrefix } = servers.kafka;
    const settings = { KAFKA_BROKERS: brokers, KAFKA_TOPIC_PREFIX: topicPrefix };
    producer = new CoalescingProducer(
      new KafkaConnection(loadConfig(gatewayConfig, settings), {
        clientId: 'streams-tests',
        logger: createLogger({ service: 'streams-tests', level: 'silent' }),
      }),
    );
    running.defer(() => producer.onApplicationShutdown());
    one = (await startPod()).url;
    other = (await startPod()).url;
  });

  // Also when the set-up fails half-way: a server left behind would keep the test run from ending.
  afterAll(() => running.disposeAsync());

  async function startPod(settings: Record<string, string> = {}): Promise<Pod> {
    const gateway = await startGateway(servers, settings);
    const { url } = gateway;
    let stopping: PromiseLike<void> | undefined;
    const stop = async (): Promise<void> => (stopping ??= gateway[Symbol.asyncDispose]());
    running.defer(stop);
    await until(async () => (await fetch(`${url}/v1/health/ready`)).ok);
    return { url, stop };
  }

  async function headersOf(tenant = 'acme'): Promise<Record<string, string>> {
    return { authorization: `Bearer ${await servers.issuer.tokenFor(tenant, 'gateway')}` };
  }

  /** Accepts a message, and answers it like a worker. */
  async function begin(sessionId = newIdentifier()): Promise<ScriptedTurn> {
    const response = await patientFetch(`${one}/v1/session/message`, {
      method: 'POST',
      headers: {
        ...(await headersOf()),
        'content-type': 'application/json',
        'idempotency-key': newIdentifier(),
      },
      body: JSON.stringify({ session_id: sessionId, message: 'Hello' }),
    });
    const { event_id: turnId } = (await response.json()) as { event_id: string };
    return new ScriptedTurn(database, producer, { sessionId, turnId });
  }

  async function openAnswer(): Promise<ScriptedTurn> {
    const turn = await begin();
    await turn.row('assistant.started', { keep: 0 });
    for (const piece of PIECES) await turn.piece(piece);
    return turn;
  }

  /** Reads a stream until an event says that it is enough, or as far as the cut. */
  async function read(url: string, { lastId, ...options }: ReadOptions): Promise<Received[]> {
    const received = await readOnce(url, { lastId, ...options });
    const last = received.at(-1);
    const isCut = options.cutAfterBytes !== undefined || options.until === undefined;
    if (isCut || (last && options.until?.(last.event))) return received;
    // A gateway ends a stream that it cannot serve. A client opens it again.
    const more = { ...options, onOpen: () => undefined, lastId: last?.id ?? lastId };
    return [...received, ...(await read(url, more))];
  }

  async function readOnce(url: string, options: ReadOptions): Promise<Received[]> {
    const { until: isLast, cutAfterBytes, lastId, onOpen } = options;
    const headers = { ...(await headersOf()), ...(lastId && { 'last-event-id': lastId }) };
    using stream = await openEventStream(url, {
      headers,
      ...(cutAfterBytes !== undefined && { cutAfterBytes }),
    });
    onOpen?.();
    const received: Received[] = [];
    for await (const { id, data } of stream) {
      const event = JSON.parse(data) as SessionEvent;
      received.push({ id, event });
      if (isLast?.(event)) break;
    }
    return received;
  }

  const pathOf = ({ sessionId }: ScriptedTurn): string => `/v1/session/${sessionId}/events`;

  it('goes on in the other gateway after a cut at any byte (P4)', async () => {
    const length = (await openAnswer()).writtenBytes + MESSAGE_BYTES;
    for (let begin = 0; begin <= length; begin += CUTS_AT_ONCE) {
      const turn = await openAnswer();
      let resumed = 0;
      const resume = async (cutAfterBytes: number): Promise<Received[]> => {
        const path = `${pathOf(turn)}?cursor=0`;
        const before = await read(one + path, { cutAfterBytes, until: endsText });
        const lastId = before.at(-1)?.id;
        const after = await read(other + path, {
          ...{ lastId, until: isFinal },
          onOpen: () => (resumed += 1),
        });
        return [...before, ...after];
      };
      const streams = Array.from({ length: CUTS_AT_ONCE }, (_, index) => resume(begin + index));
      // Every stream has been cut and goes on elsewhere, in the middle of the answer.
      await until(() => resumed === CUTS_AT_ONCE);
      await turn.row('assistant.final', { message: TEXT });
      for (const stream of await Promise.all(streams)) expect(outline(stream)).toEqual(WHOLE);
    }
  }, 240_000);

  it('goes on after a cut of a turn that called a tool (P4)', async () => {
    const [said = '', ...rest] = PIECES;
    const openSteps = async (): Promise<ScriptedTurn> => {
      const turn = await begin();
      await turn.row('assistant.started', { keep: 0 });
      await turn.piece(said);
      await turn.row('tool.start', { text: said });
      await turn.row('tool.result', { role: 'tool' });
      await turn.row('assistant.started', { keep: said.length });
      for (const piece of rest) await turn.piece(piece);
      return turn;
    };
    const whole = [
      ...[WHOLE[0], WHOLE[1], ['assistant.delta', 2, said]],
      ...[
        ['tool.start', 3, ''],
        ['tool.result', 4, ''],
        ['assistant.started', 5, ''],
      ],
      ...[
        ['assistant.delta', 5, rest.join('')],
        ['assistant.final', 6, TEXT],
      ],
    ];
    const turn = await openSteps();
    const length = turn.writtenBytes + MESSAGE_BYTES;
    const cuts = Array.from({ length: Math.ceil(length / STEP_CUT_BYTES) }, (_, index) => index);
    let resumed = 0;
    const resume = async (cut: number): Promise<Received[]> => {
      const path = `${pathOf(turn)}?cursor=0`;
      const cutAfterBytes = cut * STEP_CUT_BYTES;
      const before = await read(one + path, { cutAfterBytes, until: endsText });
      const lastId = before.at(-1)?.id;
      const after = await read(other + path, {
        ...{ lastId, until: isFinal },
        onOpen: () => (resumed += 1),
      });
      return [...before, ...after];
    };
    const streams = cuts.map(resume);
    await until(() => resumed === cuts.length);
    await turn.row('assistant.final', { message: TEXT });
    for (const stream of await Promise.all(streams)) expect(outline(stream)).toEqual(whole);
  }, 240_000);

  it('goes on after a cut of a WebSocket at any byte (P4)', async () => {
    const relay = running.use(await startCuttingRelay(Number(new URL(one).port)));
    const length = (await openAnswer()).writtenBytes + MESSAGE_BYTES;
    for (let begin = 0; begin <= length; begin += CUTS_AT_ONCE) {
      const turn = await openAnswer();
      let resumed = 0;
      const resume = async (cutAfterBytes: number): Promise<Received[]> => {
        const path = `/v1/session/${turn.sessionId}/stream?cursor=`;
        const headers = { ...(await headersOf()), 'x-cut': String(cutAfterBytes) };
        const before = await readSocket(`${relay.url}${path}0`, { headers, until: endsText });
        const cursor = before.at(-1)?.id ?? '0';
        const after = await readSocket(`${other}${path}${cursor}`, {
          ...{ headers, until: isFinal, resumes: true },
          onOpen: () => (resumed += 1),
        });
        return [...before, ...after];
      };
      const streams = Array.from({ length: CUTS_AT_ONCE }, (_, index) => resume(begin + index));
      await until(() => resumed === CUTS_AT_ONCE);
      await turn.row('assistant.final', { message: TEXT });
      for (const stream of await Promise.all(streams)) expect(outline(stream)).toEqual(WHOLE);
    }
  }, 240_000);

  it('serves an answer whole from a gateway that was started in the middle of it', async () => {
    const turn = await openAnswer();
    const { url } = await startPod();
    const whole = read(url + pathOf(turn), { until: isFinal });
    await turn.repeatText();
    await turn.row('assistant.final', { message: TEXT });
    expect(outline(await whole)).toEqual(WHOLE);
  });

  it('reads rows from the timeline that Kafka lost, as soon as a later one is heard', async () => {
    const turn = await begin();
    const whole = read(one + pathOf(turn), { until: isFinal });
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
    const turn = await begin();
    const whole = read(one + pathOf(turn), { until: isFinal });
    await turn.row('assistant.started', { keep: 0 }, { isHeard: false });
    await turn.row('assistant.final', { message: TEXT }, { isHeard: false });
    expect(outline(await whole)).toEqual(WHOLE);
  });

  it('begins with the oldest unfinished message, without text of what came before', async () => {
    const turn = await openAnswer();
    const next = await begin(turn.sessionId);
    await turn.row('assistant.final', { message: TEXT });
    await database.execute(
      `UPDATE conversation.turns SET state = 'done' WHERE session_id = $1 AND seq = 1`,
      [turn.sessionId],
    );
    const received = await read(one + pathOf(next), { until: isFinal });
    expect(outline(received).map(([type, seq]) => `${type} ${seq}`)).toEqual([
      ...['user.message 3', 'assistant.final 4'],
    ]);
  });

  it('shows thinking without an id, and does not replay it', async () => {
    const turn = await begin();
    await turn.row('assistant.started', { keep: 0 });
    const live = read(one + pathOf(turn), { until: isFinal });
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
    expect(outline(await read(one + pathOf(turn), { until: isFinal }))).toEqual(WHOLE);
  });

  it('ends a stream whose reader is too slow, and lets it resume', async () => {
    const { url } = await startPod({ STREAM_BUFFER_BYTES: '1024' });
    const turn = await begin();
    const slow = connect(Number(new URL(url).port), '127.0.0.1').pause();
    running.defer(() => void slow.destroy());
    const { authorization = '' } = await headersOf();
    slow.write(
      `GET ${pathOf(turn)} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\n\r\n`,
    );
    const closed = once(slow, 'close');
    await turn.row('assistant.started', { keep: 0 });
    const metric = 'soma_stream_slow_readers_total';
    const before = await countOf(url, metric);
    await until(async () => {
      await Promise.all(Array.from({ length: 20 }, () => turn.piece('x'.repeat(50_000))));
      return (await countOf(url, metric)) > before;
    });
    slow.on('error', () => undefined).resume();
    await closed;
    await turn.row('assistant.final', { message: turn.text });
    const resumed = await read(url + pathOf(turn), { until: isFinal });
    expect(outline(resumed).at(-1)?.[2]).toBe(turn.text);
  });

  it('closes the WebSocket of a reader that is too slow with 1013', async () => {
    const { url } = await startPod({ STREAM_BUFFER_BYTES: '1024' });
    const turn = await begin();
    const slow = await openSocket(`${url}/v1/session/${turn.sessionId}/stream`, {
      headers: await headersOf(),
    });
    running.defer(() => {
      slow.terminate();
    });
    const closed = once(slow, 'close');
    slow.pause();
    await turn.row('assistant.started', { keep: 0 });
    const metric = 'soma_stream_slow_readers_total';
    const before = await countOf(url, metric, 'websocket');
    await until(async () => {
      await Promise.all(Array.from({ length: 20 }, () => turn.piece('x'.repeat(50_000))));
      return (await countOf(url, metric, 'websocket')) > before;
    });

    slow.resume();

    expect(await closed).toEqual([1013, Buffer.from('too_slow')]);
  });

  it('ends streams when it stops: with `retry`, and with 1012', async () => {
    const pod = await startPod();
    const turn = await begin();
    const events = await openEventStream(pod.url + pathOf(turn), { headers: await headersOf() });
    const socket = await openSocket(`${pod.url}/v1/session/${turn.sessionId}/stream`, {
      headers: await headersOf(),
    });
    const closed = once(socket, 'close');
    const types: string[] = [];
    const ended = (async () => {
      for await (const { event } of events) types.push(event);
    })();
    await pod.stop();
    await ended;
    expect(types).not.toContain('assistant.final');
    expect(events.retryMs).toBe(1000);
    expect(await closed).toEqual([1012, expect.anything()]);
  });

  it('ends streams of a session that is deleted', async () => {
    const turn = await begin();
    const url = one + pathOf(turn);
    const stream = read(url, {});
    await until(async () => (await countOf(one, 'soma_streams_open')) > 0);
    const headers = await headersOf();
    const removed = await fetch(`${one}/v1/session/${turn.sessionId}`, {
      method: 'DELETE',
      headers,
    });
    expect(removed.status).toBe(204);
    expect((await stream).map(({ event }) => event.type)).not.toContain('assistant.final');
    expect((await fetch(url, { headers })).status).toBe(404);
  });

  it('refuses what is no cursor of the session, and sessions that are not there', async () => {
    const turn = await openAnswer();
    await turn.row('assistant.final', { message: TEXT });
    const headers = await headersOf();
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
    expect(await statusOf(path, await headersOf('globex'))).toBe(404);
    expect(await statusOf(path, { authorization: '' })).toBe(401);
  });

  it('opens one stream of one session with a ticket', async () => {
    const turn = await openAnswer();
    await turn.row('assistant.final', { message: TEXT });
    const another = await begin();
    const ticketFor = async ({ sessionId }: ScriptedTurn): Promise<string> => {
      const response = await fetch(`${one}/v1/session/${sessionId}/stream-ticket`, {
        ...{ method: 'POST', headers: await headersOf() },
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

  it('takes frames over a WebSocket, and says what is wrong with one', async () => {
    const turn = await begin();
    const headers = await headersOf();
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
    expect(await ask('{"type":')).toMatchObject({ problem: { code: 'malformed_json' } });
    expect(await ask({ type: 'message', message: 'x', role: 'system' })).toMatchObject({
      problem: { code: 'invalid_request', fields: [{ path: 'role' }] },
    });
    const closed = once(socket, 'close');
    socket.send(`{"type":"message","message":"${'x'.repeat(1024 * 1024)}"}`);
    expect(await closed).toEqual([1009, expect.anything()]);
  });

  it('counts frames as requests: beyond the limit each is answered 429, and the stream goes on', async () => {
    const { url } = await startPod({ RATE_LIMIT_SERVICE_PER_MINUTE: '10' });
    const headers = await headersOf('frames');
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
    const turn = await begin();
    const path = `${one}/v1/session/${turn.sessionId}/stream`;
    const headers = await headersOf();
    await expect(openSocket(path)).rejects.toThrow('401');
    await expect(openSocket(`${path}?cursor=7.0`, { headers })).rejects.toThrow('400');
    await expect(openSocket(`${path}?token=7.0`, { headers })).rejects.toThrow('400');
    await expect(openSocket(`${one}/v1/session/nobody/stream`, { headers })).rejects.toThrow('404');
    await expect(openSocket(`${one}/v1/else`, { headers })).rejects.toThrow('404');
  });

  async function countOf(url: string, metric: string, kind = 'sse'): Promise<number> {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const [, count] = new RegExp(`^${metric}\\{kind="${kind}"\\} (\\d+)`, 'm').exec(metrics) ?? [];
    return Number(count ?? 0);
  }
});
