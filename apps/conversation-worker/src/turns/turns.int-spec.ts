import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { conversationInbound, sessionKey } from '@soma/contracts';
import { newIdentifier } from '@soma/kernel';
import { CoalescingProducer } from '@soma/messaging';
import { AcceptTurns, CancelTurns, Personas } from '@soma/sessions';
import { type TestModelServer, until } from '@soma/testing';
import {
  acme,
  attempts,
  ENDS,
  follow,
  deleteSession,
  startServers,
  startWorker,
  type TestWorker,
  type WorkerServers,
} from '../spec-support.ts';

const UTILITY_MODEL = 'soma-slm-utility';

/** So many turns that nobody has summarised, which cost few tokens each. */
const LONG_AGO = `
  WITH turn AS (
    INSERT INTO conversation.turns
      (tenant_id, session_id, seq, turn_id, state, accepted_at, started_seq)
    SELECT tenant_id, session_id, seq + 10 + fact, 'fact-' || fact, 'cancelled', now(), NULL
      FROM conversation.turns, generate_series(0, 449) AS fact WHERE session_id = $1
    RETURNING *
  ), row AS (
    INSERT INTO conversation.session_events
      (tenant_id, session_id, seq, event_id, turn_id, type, envelope, occurred_at, published_at)
    SELECT tenant_id, session_id, turn.seq, turn.turn_id, turn.turn_id, 'user.message',
           (SELECT jsonb_build_object('seq', turn.seq, 'event_id', turn.turn_id, 'turn_id',
                     turn.turn_id, 'message', 'Fact ' || substr(turn.turn_id, 6) || '.')
              || jsonb_build_object('type', 'user.message', 'role', 'user'))::json,
           now(), now()
      FROM turn
  )
  UPDATE conversation.sessions SET last_seq = 1000 WHERE session_id = $1`;

describe('the worker', () => {
  const running = new AsyncDisposableStack();
  let servers: WorkerServers;
  let models: TestModelServer;
  let worker: TestWorker;

  beforeAll(async () => {
    servers = await startServers(running);
    ({ models } = servers);
    const slm = { SLM_API_KEY: 'key', SLM_BASE_URL: models.url };
    worker = await startWorker(running, servers, { settings: slm });
  });

  afterAll(() => running.disposeAsync());

  const say = (message: string, sessionId?: string) => worker.say(message, sessionId);
  const endOf = (sessionId: string, turns?: number) => worker.endOf(sessionId, turns);

  it('answers a message, with the model and what it cost', async () => {
    const { session_id } = await say('hello');

    const events = await endOf(session_id);

    expect(events.map(({ type }) => type)).toEqual([
      'user.message',
      'assistant.started',
      'assistant.final',
    ]);
    expect(events.at(-1)).toMatchObject({
      message: 'You said: hello',
      metadata: {
        model: 'openai/gpt-4o',
        finish_reason: 'stop',
        usage: { input_tokens: expect.any(Number), output_tokens: expect.any(Number) },
      },
    });
  });

  it('gives the model the conversation so far and the instructions of the persona', async () => {
    const settings = {
      name: 'Pirate',
      instructions: 'Speak like a pirate.',
      model: null,
      temperature: 0.5,
      top_p: null,
      top_k: null,
      max_tokens: null,
    };
    const witness = () => Promise.resolve();
    const persona = await worker.get(Personas).create(acme, settings, { witness });
    const sessionId = newIdentifier();
    await worker.get(AcceptTurns).accept({
      principal: acme,
      sessionId,
      personaId: persona.persona_id,
      message: 'first of persona',
    });
    await endOf(sessionId);

    await say('second of persona', sessionId);
    await endOf(sessionId, 2);

    const call = models.calls.find(({ message }) => message === 'second of persona');
    expect(call?.body).toMatchObject({
      temperature: 0.5,
      messages: [
        { role: 'system', content: 'Speak like a pirate.' },
        { role: 'user', content: 'first of persona' },
        { role: 'assistant', content: 'You said: first of persona' },
        { role: 'user', content: 'second of persona' },
      ],
    });
  });

  it('answers ten queued messages of a session one after the other, each once (P2)', async () => {
    const sessionId = newIdentifier();
    await Promise.all(Array.from({ length: 10 }, (_, index) => say(`queued ${index}`, sessionId)));

    const events = await endOf(sessionId, 10);

    const asked = events.filter(({ type }) => type === 'user.message');
    const answers = events.filter(({ type }) => type === 'assistant.final');
    expect(answers.map(({ message }) => message)).toEqual(
      asked.map(({ message }) => `You said: ${message}`),
    );
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  });

  it('makes a call again in place when it failed before its first text', async () => {
    const { session_id } = await say(attempts([{ status: 500 }], [{ text: 'second try' }]));

    const events = await endOf(session_id);

    expect(events.filter(({ type }) => type === 'assistant.started')).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({ type: 'assistant.final', message: 'second try' });
  });

  it('withdraws text that was streamed before a call broke, by a new attempt', async () => {
    const { session_id } = await say(
      attempts([{ text: 'half an ' }, { drop: true }], [{ text: 'whole answer' }]),
    );

    const events = await endOf(session_id);

    const started = events.filter(({ type }) => type === 'assistant.started');
    expect(started.map(({ keep }) => keep)).toEqual([0, 0]);
    expect(events.at(-1)).toMatchObject({ type: 'assistant.final', message: 'whole answer' });
  });

  it('ends a turn whose call cannot succeed, with a reason', async () => {
    const { session_id } = await say(follow([{ status: 400 }]));

    const events = await endOf(session_id);

    expect(events.at(-1)).toMatchObject({
      type: 'assistant.error',
      metadata: { code: 'request_refused' },
    });
  });

  const tokens = { input_tokens: 10, output_tokens: 2, cached_input_tokens: 0 };
  const person = {
    type: 'object',
    properties: { name: { type: 'string' } },
    required: ['name'],
    additionalProperties: false,
  };
  const ask = (message: string) =>
    worker.get(AcceptTurns).accept({ principal: acme, message, outputSchema: person });

  it('repairs an answer that is not valid by its schema, once', async () => {
    const { session_id } = await ask(
      attempts(
        [{ text: '{"name": 7}' }, { usage: { ...tokens, cached_input_tokens: 3 } }],
        [{ text: '{"name": "Ada"}' }, { usage: tokens }],
      ),
    );

    const events = await endOf(session_id);

    expect(events.at(-1)).toMatchObject({
      type: 'assistant.final',
      message: '{"name": "Ada"}',
      metadata: {
        output: { name: 'Ada' },
        usage: { input_tokens: 20, output_tokens: 4, cached_input_tokens: 3 },
      },
    });
    const repair = models.calls.findLast(({ body }) =>
      JSON.stringify(body).includes('not valid by the schema'),
    );
    expect(JSON.stringify(repair?.body)).toContain('name');
  });

  it('ends a turn whose answer stays invalid, with the paths', async () => {
    const { session_id } = await ask(
      attempts([{ text: '{"name": 7}' }], [{ text: '{"name": 8}' }]),
    );

    const events = await endOf(session_id);

    expect(events.at(-1)).toMatchObject({
      type: 'assistant.error',
      metadata: { code: 'output_invalid', issues: [{ path: 'name' }] },
    });
  });

  it('does quick actions on the conversation and says so', async () => {
    const { session_id } = await say('The launch is on Friday.');
    await endOf(session_id);

    await worker.get(AcceptTurns).accept({
      principal: acme,
      sessionId: session_id,
      message: 'summarize',
      action: 'summarize',
    });

    const events = await endOf(session_id, 2);
    expect(events.at(-1)).toMatchObject({
      type: 'assistant.final',
      metadata: { action: 'summarize' },
    });
    expect(JSON.stringify(models.calls.at(-1)?.body)).toContain('The launch is on Friday.');
  });

  const systemOf = (message: string): string => {
    const call = models.calls.findLast((each) => each.message === message);
    const [system] = (call?.body['messages'] ?? []) as { content: string }[];
    return system?.content ?? '';
  };
  const summaryCalls = () => models.calls.filter(({ model }) => model === UTILITY_MODEL);

  it('summarises what is too old for the window once, and says the rest word for word', async () => {
    const usage = { input_tokens: 100, output_tokens: 20, cached_input_tokens: 0 };
    models.script(({ model }) =>
      model === UTILITY_MODEL ? [{ text: 'The vault code is 4711.' }, { usage }] : undefined,
    );
    const sessionId = newIdentifier();
    const told = `The vault code is 4711. ${'Some other words follow here. '.repeat(500)}`;
    const before = summaryCalls().length;
    for (const [turn, message] of [told, told, told, 'What is the code?', 'And now?'].entries()) {
      await say(message, sessionId);
      await endOf(sessionId, turn + 1);
    }
    models.script(undefined);

    const made = summaryCalls().slice(before);
    const call = models.calls.findLast(({ message }) => message === 'What is the code?');
    const [, ...rest] = (call?.body['messages'] ?? []) as { content: string }[];
    expect(made).toHaveLength(2);
    expect(made[1]?.message).toContain('What was said before, as a summary:');
    expect(systemOf('What is the code?')).toContain(
      'Earlier in this conversation:\nThe vault code is 4711.',
    );
    expect(systemOf('And now?')).toContain('The vault code is 4711.');
    expect(rest.at(-1)?.content).toBe('What is the code?');
    expect(rest.length).toBeLessThan(7);
    await expect(
      servers.database.execute(
        `SELECT model, output_tokens FROM conversation.model_calls
          WHERE session_id = $1 AND summarised_to > 0`,
        [sessionId],
      ),
    ).resolves.toEqual(made.map(() => ({ model: `slm/${UTILITY_MODEL}`, output_tokens: 20 })));
  });

  it('forgets nothing of a session that was long before it had a summary', async () => {
    const sessionId = newIdentifier();
    await say('The first of many.', sessionId);
    await endOf(sessionId);
    await servers.database.execute(LONG_AGO, [sessionId]);
    const before = summaryCalls().length;

    await say('Which facts do you know?', sessionId);
    await endOf(sessionId, 2);
    const made = summaryCalls().slice(before);
    await say('And now?', sessionId);
    await endOf(sessionId, 3);

    const summarised = made.map(({ message }) => message).join('\n');
    const call = models.calls.findLast(({ message }) => message === 'Which facts do you know?');
    const told = `${summarised}\n${JSON.stringify(call?.body['messages'])}`;
    const missing = Array.from({ length: 450 }, (_, fact) => `Fact ${fact}.`).filter(
      (fact) => !told.includes(fact),
    );
    expect(missing).toEqual([]);
    expect(summarised).toContain('user: The first of many.\n\nassistant: You said: The first');
    expect(summaryCalls().length).toBe(before + made.length);
  });

  it('has a failed message answered once when its dead letter is replayed', async () => {
    const { session_id } = await say(attempts([{ status: 400 }], [{ text: 'after all' }]));
    const [message] = await endOf(session_id);
    const replay = {
      topic: conversationInbound.name,
      key: sessionKey({ tenant_id: 'acme', session_id }),
      value: JSON.stringify({ ...message, schema: conversationInbound.version }),
      headers: { 'dead-letter-replays': 'conversation.inbound:0:7' },
    };

    await worker.get(CoalescingProducer).sendAll([replay, replay]);

    const events = await endOf(session_id, 2);
    expect(events.at(-1)).toMatchObject({ type: 'assistant.final', message: 'after all' });
    expect(events.filter(({ type }) => type === 'user.message')).toHaveLength(2);
  });

  it('stops a call whose turn was cancelled, and goes on with the next one', async () => {
    const sessionId = newIdentifier();
    const slow = follow([{ text: 'never ' }, { stall: true }]);
    await say(slow, sessionId);
    await say('after the cancel', sessionId);
    await until(() => models.calls.some(({ message }) => message === slow));

    await worker.get(CancelTurns).cancel({ principal: acme, sessionId });

    const events = await endOf(sessionId, 2);
    expect(events.filter(({ type }) => ENDS.includes(type)).map(({ type }) => type)).toEqual([
      'assistant.cancelled',
      'assistant.final',
    ]);
    await until(() => models.calls.find(({ message }) => message === slow)?.state === 'aborted');
    const next = models.calls.find(({ message }) => message === 'after the cancel');
    expect(JSON.stringify(next?.body)).not.toContain('"role":"assistant"');
  });

  it('stops the call of a session that was deleted', async () => {
    const slow = follow([{ text: 'erased ' }, { stall: true }]);
    const { session_id } = await say(slow);
    await until(() => models.calls.some(({ message }) => message === slow));

    await deleteSession(servers, acme, session_id);

    await until(() => models.calls.find(({ message }) => message === slow)?.state === 'aborted');
  });

  it('hands its turns back when it is told to stop, and another worker goes on (rule 18)', async () => {
    const other = await startWorker(running, servers);
    await worker.close();
    const slow = attempts([{ text: 'begun ' }, { stall: true }], [{ text: 'finished' }]);
    const accepted = await other
      .get(AcceptTurns)
      .accept({ principal: acme, sessionId: newIdentifier(), message: slow });
    await until(() => models.calls.some(({ message }) => message === slow));

    worker = await startWorker(running, servers);
    await other.close();

    const events = await endOf(accepted.session_id);
    expect(events.at(-1)).toMatchObject({ type: 'assistant.final', message: 'finished' });
    expect(events.filter(({ type }) => type === 'assistant.started')).toHaveLength(2);
  });
});
