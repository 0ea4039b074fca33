import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ServiceTokens } from '@soma/auth';
import { type RowEvent, type ToolRequest, toolResults } from '@soma/contracts';
import { newIdentifier, Secret } from '@soma/kernel';
import { CoalescingProducer, type OpenDeadLetter } from '@soma/messaging';
import { AcceptTurns, CancelTurns } from '@soma/sessions';
import { startTokenIssuer, type TestModelServer, type TestTokenIssuer, until } from '@soma/testing';
import {
  acme,
  attempts,
  deleteSession,
  type Executor,
  startExecutor,
  startServers,
  startWorker,
  type TestWorker,
  type WorkerServers,
} from '../spec-support.ts';
import type { OfferedTool } from './offered-tools.ts';

const inputSchema = { type: 'object', properties: { word: { type: 'string' } } };
const lookUp: OfferedTool = {
  ...{ name: 'look_up', description: 'Looks a word up.', inputSchema, timeoutMs: 60_000 },
};
const hasty: OfferedTool = { ...lookUp, name: 'hasty', timeoutMs: 300 };

const call = (given: object, tool = 'look_up') => ({ call: { tool, arguments: given } });

describe('a turn with tools', () => {
  const running = new AsyncDisposableStack();
  let servers: WorkerServers;
  let models: TestModelServer;
  let issuer: TestTokenIssuer;
  let worker: TestWorker;
  let executor: Executor;

  beforeAll(async () => {
    servers = await startServers(running);
    ({ models } = servers);
    executor = await startExecutor(running, servers);
    issuer = running.use(await startTokenIssuer());
    const settings = { IDENTITY_ISSUER: issuer.url, GATEWAY_JWT_JWKS_URL: issuer.jwksUrl };
    worker = await startWorker(running, servers, { settings, tools: [lookUp, hasty] });
  });

  afterAll(() => running.disposeAsync());

  const typesOf = (events: RowEvent[]) => events.map(({ type }) => type);
  const outcomesOf = (events: RowEvent[]) =>
    events.flatMap(({ tool_result }) => (tool_result === undefined ? [] : [tool_result]));
  const lastCallOf = (message: string) =>
    JSON.stringify(models.calls.findLast((each) => each.message === message)?.body['messages']);
  const cancel = (sessionId: string) =>
    worker.get(CancelTurns).cancel({ principal: acme, sessionId });

  /** A turn with a call of its own, so that all results sent to the session before have been heard. */
  const oneMoreTurn = async (sessionId: string, turns: number): Promise<RowEvent[]> => {
    await worker.say(attempts([call({ answer: sessionId })], [{ text: 'More.' }]), sessionId);
    return worker.endOf(sessionId, turns);
  };

  it('asks for a tool, waits, and goes on with what the tool has said', async () => {
    const tokens = { input_tokens: 10, output_tokens: 2, cached_input_tokens: 1 };
    const message = attempts(
      [{ text: 'Let me ' }, { text: 'see. ' }, call({ word: 'Köln' }), { usage: tokens }],
      [{ text: 'It is a ' }, { text: 'city.' }, { usage: tokens }],
    );
    const { session_id } = await worker.say(message);
    const [request] = (await executor.requestsOf(session_id)) as [ToolRequest];

    await executor.answer(request, { output: { meaning: 'a city' }, usage: { duration_ms: 7 } });

    const events = await worker.endOf(session_id);
    expect(typesOf(events)).toEqual([
      ...['user.message', 'assistant.started', 'tool.start', 'tool.result'],
      ...['assistant.started', 'assistant.final'],
    ]);
    expect(events[2]).toMatchObject({ text: 'Let me see. ', tool_call: { tool: 'look_up' } });
    expect(events[3]).toMatchObject({
      tool_result: { call_id: request.call_id, status: 'ok', usage: { duration_ms: 7 } },
    });
    expect(events[4]?.keep).toBe('Let me see. '.length);
    expect(events[5]?.message).toBe('Let me see. It is a city.');
    expect(events[5]?.metadata['usage']).toEqual({
      ...{ input_tokens: 20, output_tokens: 4, cached_input_tokens: 2 },
    });
    expect(request).toMatchObject({
      ...{ tenant_id: 'acme', attempt: 1, seq: 3, cursor: '3.0', arguments: { word: 'Köln' } },
      ...{ turn_id: events[0]?.event_id, principal: { subject: 'ada' } },
    });
    expect(Date.parse(request.deadline) - Date.parse(request.occurred_at)).toBeGreaterThan(50_000);
    expect(lastCallOf(message)).toContain('Let me see. ');
    expect(lastCallOf(message)).toContain('a city');
  });

  it('makes two calls at once, and goes on when both have a result', async () => {
    const message = attempts([call({ word: 'one' }), call({ word: 'two' })], [{ text: 'Done.' }]);
    const { session_id } = await worker.say(message);
    const [one, two] = (await executor.requestsOf(session_id, 2)) as [ToolRequest, ToolRequest];

    await executor.answer(two, { output: 'second' });
    await until(async () => outcomesOf(await worker.eventsOf(session_id)).length === 1);
    const between = await worker.eventsOf(session_id);
    await executor.answer(one, { output: 'first' });

    const events = await worker.endOf(session_id);
    expect(typesOf(between).at(-1)).toBe('tool.result');
    expect(typesOf(events).slice(2)).toEqual([
      ...['tool.start', 'tool.start', 'tool.result', 'tool.result'],
      ...['assistant.started', 'assistant.final'],
    ]);
    const told = lastCallOf(message);
    expect(told.indexOf('first')).toBeLessThan(told.indexOf('second'));
  });

  it('ignores the result of another attempt, and one that comes again (P3)', async () => {
    const { session_id } = await worker.say(
      attempts([call({ word: 'one' })], [call({ word: 'two' })], [{ text: 'Done.' }]),
    );
    const [one] = (await executor.requestsOf(session_id)) as [ToolRequest];
    await executor.answer(one, { attempt: 7, output: 'of nobody' });
    await executor.answer(one, { output: 'right' });
    const [, two] = (await executor.requestsOf(session_id, 2)) as [ToolRequest, ToolRequest];
    await executor.answer(one, { output: 'again' });
    await executor.answer(one, { attempt: two.attempt, output: 'made up' });
    await executor.answer(two, { output: 'right too' });

    const events = await worker.endOf(session_id);

    expect(two.attempt).toBe(2);
    expect(outcomesOf(events).map(({ output }) => output)).toEqual(['right', 'right too']);
  });

  it('tells the model when a tool fails, and goes on', async () => {
    const message = attempts([call({ word: 'bad' })], [{ text: 'Sorry.' }]);
    const { session_id } = await worker.say(message);
    const [request] = (await executor.requestsOf(session_id)) as [ToolRequest];

    await executor.answer(request, { status: 'denied', output: 'not for you' });

    const events = await worker.endOf(session_id);
    expect(events.at(-1)).toMatchObject({ type: 'assistant.final', message: 'Sorry.' });
    expect(lastCallOf(message)).toContain('denied');
  });

  it('waits no longer than until the deadline', async () => {
    const message = attempts([call({ word: 'slow' }, 'hasty')], [{ text: 'Without it.' }]);
    const { session_id } = await worker.say(message);

    const events = await worker.endOf(session_id);
    const [request] = (await executor.requestsOf(session_id)) as [ToolRequest];
    await executor.answer(request, { output: 'too late' });
    const later = await oneMoreTurn(session_id, 2);

    expect(outcomesOf(events)).toMatchObject([{ status: 'timed_out' }]);
    expect(events.at(-1)).toMatchObject({ type: 'assistant.final', message: 'Without it.' });
    expect(lastCallOf(message)).toContain('timed_out');
    expect(later.slice(0, events.length)).toEqual(events);
    expect(outcomesOf(later).map(({ status }) => status)).toEqual(['timed_out', 'ok']);
  });

  it('is cancelled while it waits; the next message is answered', async () => {
    const message = attempts([call({ word: 'cancelled' })]);
    const { session_id } = await worker.say(message);
    const [request] = (await executor.requestsOf(session_id)) as [ToolRequest];

    await cancel(session_id);
    await executor.answer(request, { output: 'late' });

    const events = await oneMoreTurn(session_id, 2);
    expect(typesOf(events)).toEqual([
      ...['user.message', 'assistant.started', 'tool.start', 'assistant.cancelled'],
      ...['user.message', 'assistant.started', 'tool.start', 'tool.result'],
      ...['assistant.started', 'assistant.final'],
    ]);
    expect(models.calls.filter((each) => each.message === message)).toHaveLength(1);
  });

  it('is gone when its session is deleted while it waits', async () => {
    const message = attempts([call({ word: 'deleted' })], [{ text: 'No.' }]);
    const { session_id } = await worker.say(message);
    const [request] = (await executor.requestsOf(session_id)) as [ToolRequest];

    await deleteSession(servers, acme, session_id);
    await executor.answer(request, { output: 'late' });
    await oneMoreTurn(newIdentifier(), 1);

    expect(typesOf(await worker.eventsOf(session_id))).toEqual(['session.updated']);
    expect(models.calls.filter((each) => each.message === message)).toHaveLength(1);
  });

  it('calls the model again when it has made a tool up', async () => {
    const { session_id } = await worker.say(
      attempts([{ text: 'Hm. ' }, call({}, 'made_up')], [{ text: 'Without tools.' }]),
    );

    const events = await worker.endOf(session_id);

    expect(typesOf(events)).not.toContain('tool.start');
    expect(events.at(-1)).toMatchObject({ type: 'assistant.final', message: 'Without tools.' });
  });

  it('ends when its model asks for tools without end', async () => {
    const again = Array.from({ length: 40 }, () => [call({ answer: 'more' })]);
    const { session_id } = await worker.say(attempts(...again));

    const events = await worker.endOf(session_id);

    expect(events.at(-1)).toMatchObject({
      type: 'assistant.error',
      metadata: { code: 'too_many_tool_steps' },
    });
    expect(outcomesOf(events)).toHaveLength(24);
  });

  it('holds the last step alone against the schema of its output', async () => {
    const outputSchema = { type: 'object', properties: { name: { type: 'string' } } };
    const { session_id } = await worker.get(AcceptTurns).accept({
      principal: acme,
      message: attempts(
        [{ text: 'Let me see. ' }, call({ answer: 'Ada' })],
        [{ text: '{"name": 7}' }],
        [{ text: '{"name": "Ada"}' }],
      ),
      outputSchema,
    });

    const events = await worker.endOf(session_id);

    expect(events.at(-1)).toMatchObject({
      type: 'assistant.final',
      message: 'Let me see. {"name": "Ada"}',
      metadata: { output: { name: 'Ada' } },
    });
  });

  it('offers no tool to a quick action', async () => {
    const { session_id } = await worker.say('The launch is on Friday.');
    await worker.endOf(session_id);
    const offered = models.calls.at(-1)?.body['tools'];

    await worker.get(AcceptTurns).accept({
      ...{ principal: acme, sessionId: session_id, message: 'summarize', action: 'summarize' },
    });
    await worker.endOf(session_id, 2);

    expect(offered).toHaveLength(2);
    expect(models.calls.at(-1)?.body).not.toHaveProperty('tools');
  });

  it('tells services of results that it could not read, and of nothing without a token', async () => {
    const key = 'acme:nobody';
    const producer = worker.get(CoalescingProducer);
    for (const value of ['no result', 'no result either']) {
      await producer.send({ topic: toolResults.name, key, value });
    }
    const { tokenUrl } = issuer;
    const client = { clientId: 'catalog', clientSecret: new Secret('of the catalog') };
    const tokens = new ServiceTokens({ tokenUrl, ...client });
    const me = 'conversation-worker';
    const headers = async () => ({
      authorization: `Bearer ${(await tokens.tokenFor(me)).reveal()}`,
      ...(await tokens.principalHeader(me, acme)),
    });
    const url = `${await worker.listen()}/internal/dead-letters`;
    const ask = async (path = '', method = 'GET') =>
      fetch(url + path, { method, headers: await headers() });
    const list = async () => {
      const { dead_letters } = (await (await ask()).json()) as { dead_letters: OpenDeadLetter[] };
      return dead_letters.filter((letter) => letter.key === key);
    };
    let letters: OpenDeadLetter[] = [];
    await until(async () => (letters = await list()).length === 2);
    const [first, second] = letters as [OpenDeadLetter, OpenDeadLetter];

    const shown = await ask(`/${first.id}`);
    const dropped = await ask(`/${first.id}`, 'DELETE');
    const again = await ask(`/${first.id}`, 'DELETE');
    const replayed = await ask(`/${second.id}/replay`, 'POST');
    const unknown = await ask('/no-topic:0:1');

    expect((await fetch(url)).status).toBe(401);
    expect(await shown.json()).toMatchObject({ letter: { original_event: 'no result' } });
    expect([dropped.status, replayed.status]).toEqual([204, 204]);
    expect([again.status, unknown.status]).toEqual([404, 400]);
    // It cannot be read now either.
    await until(async () => (letters = await list()).length > 0);
    expect(letters.map(({ letter }) => letter.original_event)).toEqual(['no result either']);
    expect(letters[0]?.id).not.toBe(second.id);
  });

  it('goes on at another worker when the one that asked is gone', async () => {
    const { session_id } = await worker.say(
      attempts([{ text: 'One ' }, call({ word: 'one' })], [{ text: 'two.' }]),
    );
    const [request] = (await executor.requestsOf(session_id)) as [ToolRequest];

    await worker.close();
    worker = await startWorker(running, servers, { tools: [lookUp, hasty] });
    await executor.answer(request, { output: 1 });

    const events = await worker.endOf(session_id);
    expect(events.at(-1)).toMatchObject({ type: 'assistant.final', message: 'One two.' });
  });

  it('waits for nothing longer than it may live', async () => {
    await worker.close();
    const settings = { TURN_MAX_AGE_MS: '1500' };
    worker = await startWorker(running, servers, { settings, tools: [lookUp] });
    const { session_id } = await worker.say(attempts([call({ word: 'old' })], [{ text: 'No.' }]));

    const events = await worker.endOf(session_id);

    expect(outcomesOf(events)).toMatchObject([{ status: 'timed_out' }]);
    expect(events.at(-1)).toMatchObject({
      type: 'assistant.error',
      metadata: { code: 'turn_expired' },
    });
  });

  it('ends a turn whose model goes on and on', async () => {
    const words = Array.from({ length: 2_000 }, () => [{ text: 'on ' }, { delay_ms: 20 }]);
    models.script(() => words.flat());
    const { session_id } = await worker.say('endless');

    const events = await worker.endOf(session_id);
    models.script(undefined);

    expect(events.at(-1)).toMatchObject({
      type: 'assistant.error',
      metadata: { code: 'turn_expired' },
    });
    const [call] = models.calls.filter(({ message }) => message === 'endless');
    await until(() => call?.state === 'aborted');
  });

  it('knows no tool unless the app names one', async () => {
    await worker.close();
    worker = await startWorker(running, servers);

    const { session_id } = await worker.say(`hello ${newIdentifier()}`);
    await worker.endOf(session_id);

    expect(models.calls.at(-1)?.body).not.toHaveProperty('tools');
  });
});
