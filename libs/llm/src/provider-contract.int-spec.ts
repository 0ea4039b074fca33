import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '@soma/kernel';
import {
  freePort,
  type ModelScript,
  startModelServer,
  type TestModelServer,
  until,
} from '@soma/testing';
import { inspect } from 'node:util';
import { z } from 'zod';
import type { Model } from './model-catalog.ts';
import { ModelFailure } from './model-failure.ts';
import type { ModelEvent, ModelFinish, ModelRequest } from './model-request.ts';
import { ModelRouter } from './model-router.ts';
import { KEYED_PROVIDERS, type KeyedProviderName } from './models.ts';
import { PREFIXES } from './providers.ts';
import { llmSettings } from './settings.ts';

const KEY = 'sk-canary-0123456789';
/** Long enough for a busy machine, except where silence is the test. */
const IDLE_LIMIT_MS = 20_000;
const SHORT_IDLE_LIMIT_MS = 200;

let server: TestModelServer;

beforeAll(async () => {
  server = await startModelServer();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

KEYED_PROVIDERS.forEach(describeProviderContract);

function describeProviderContract(provider: KeyedProviderName): void {
  describe(`The provider ${provider}`, () => {
    it('streams text and thinking apart, and tells the usage', async () => {
      const { pieces, finish } = await complete([
        { thinking: 'Let me ' },
        { thinking: 'see.' },
        { text: 'Grüße, ' },
        { text: '👩‍👩‍👧 e\u0301' },
        { usage: { input_tokens: 120, output_tokens: 34, cached_input_tokens: 100 } },
      ]);

      expect(pieces.filter(({ type }) => type === 'text').map(({ text }) => text)).toEqual([
        'Grüße, ',
        '👩‍👩‍👧 e\u0301',
      ]);
      const thinking = pieces.filter(({ type }) => type === 'thinking');
      // OpenAI's chat completions do not tell what a model thinks.
      expect(thinking.map(({ text }) => text).join('')).toBe(
        provider === 'openai' ? '' : 'Let me see.',
      );
      expect(finish).toEqual({
        type: 'finish',
        finish_reason: 'stop',
        usage: { input_tokens: 120, output_tokens: 34, cached_input_tokens: 100 },
        omitted_parameters: [],
      });
    });

    it('sends the system, the messages in order and the limit of the answer', async () => {
      await complete([{ text: 'ok' }], {
        system: 'Be brief.',
        messages: [
          { role: 'user', content: 'one' },
          { role: 'assistant', content: 'two' },
          { role: 'user', content: 'three' },
        ],
        maxTokens: 77,
      });

      const sent = JSON.stringify(server.calls.at(-1)?.body);
      const positions = ['one', 'two', 'three'].map((each) => sent.indexOf(`"${each}"`));
      expect(positions.every((each) => each > 0)).toBe(true);
      expect(positions).toEqual(positions.toSorted((one, other) => one - other));
      expect(sent).toContain('Be brief.');
      expect(sent).toContain(':77');
    });

    it('tells that an answer stopped at its limit', async () => {
      const { finish } = await complete([{ text: 'half an' }, { finish: 'length' }]);

      expect(finish?.finish_reason).toBe('length');
    });

    it('asks for JSON by the schema', async () => {
      const outputSchema = {
        type: 'object',
        properties: { colour: { type: 'string' } },
        required: ['colour'],
        additionalProperties: false,
      };
      const { pieces } = await complete([{ text: '{"colour":"red"}' }], { outputSchema });

      expect(pieces.map(({ text }) => text).join('')).toBe('{"colour":"red"}');
      expect(JSON.stringify(server.calls.at(-1)?.body)).toContain('colour');
    });

    const lookUp = {
      name: 'look_up',
      description: 'Looks a word up.',
      inputSchema: { type: 'object', properties: { word: { type: 'string' } } },
    };

    it('offers tools and passes on what the model asks of them, several at once', async () => {
      const { pieces, calls, finish } = await complete(
        [
          { text: 'Let me see.' },
          { call: { tool: 'look_up', arguments: { word: 'Köln "\n"' } } },
          { call: { tool: 'look_up', arguments: {} } },
        ],
        { tools: [lookUp] },
      );

      expect(pieces.map(({ text }) => text).join('')).toBe('Let me see.');
      expect(calls).toMatchObject([
        { tool: 'look_up', arguments: { word: 'Köln "\n"' } },
        { tool: 'look_up', arguments: {} },
      ]);
      expect(finish?.usage.output_tokens).toEqual(expect.any(Number));
      const sent = JSON.stringify(server.calls.at(-1)?.body);
      expect(sent).toContain('Looks a word up.');
      expect(sent).toContain('"word"');
    });

    it('tells the model what it has asked for and what came of it, in order', async () => {
      const call = { tool: 'look_up', arguments: { word: 'one' } };
      await complete([{ text: 'ok' }], {
        tools: [lookUp],
        steps: [
          {
            text: 'First this.',
            calls: [
              { ...call, call_id: 'call-1', status: 'ok', output: { meaning: 'two' } },
              { ...call, call_id: 'call-2', status: 'timed_out', output: 'three' },
            ],
          },
          { text: 'four', issues: [{ path: 'five', message: 'is missing' }] },
        ],
      });

      const sent = JSON.stringify(server.calls.at(-1)?.body);
      const told = ['Hello', 'First this.', 'two', 'timed_out', 'four', 'five'];
      const positions = told.map((each) => sent.indexOf(each));
      expect(positions.every((each) => each > 0)).toBe(true);
      expect(positions).toEqual(positions.toSorted((one, other) => one - other));
    });

    it('calls a limit retryable and says when to come back', async () => {
      const failure = await failureOf([{ status: 429, retry_after_s: 7 }]);

      expect(failure).toMatchObject({
        code: 'rate_limited',
        retryable: true,
        status: 429,
        retryAfterMs: 7000,
      });
    });

    it.each([500, 503, 529])('calls status %i retryable', async (status) => {
      const failure = await failureOf([{ status }]);

      expect(failure).toMatchObject({ code: 'provider_failed', retryable: true, status });
    });

    it.each([
      [400, 'request_refused'],
      [401, 'key_refused'],
      [403, 'key_refused'],
      [404, 'model_not_found'],
    ])('calls status %i fatal', async (status, code) => {
      const failure = await failureOf([{ status }]);

      expect(failure).toMatchObject({ code, retryable: false, status });
    });

    it('calls a conversation that is too long fatal', async () => {
      const failure = await failureOf([
        { status: 400, message: "This model's maximum context length is 10 tokens." },
      ]);

      expect(failure).toMatchObject({ code: 'context_too_long', retryable: false });
    });

    it.each([400, 401, 429, 500])('P8: shows neither key nor host after %i', async (status) => {
      const failure = await failureOf([{ status }]);

      expect(inspect(failure, { depth: Infinity, showHidden: true })).not.toContain(KEY);
      expect(failure.message).not.toMatch(/127\.0\.0\.1|http|canary/);
    });

    it('P8: passes nothing on of what a provider says about a key', async () => {
      const message = 'Incorrect key sk-can***6789.';
      const failure = await failureOf([{ status: 401, message }]);

      expect(inspect(failure, { depth: Infinity, showHidden: true })).not.toContain('sk-can');
    });

    it('calls a cut connection retryable, after the text that had come', async () => {
      const { pieces, failure } = await failing([{ text: 'Half ' }, { drop: true }]);

      expect(pieces).toEqual([{ type: 'text', text: 'Half ' }]);
      expect(failure).toMatchObject({ retryable: true });
    });

    it('does not take an answer for whole that lacks its end', async () => {
      const { failure } = await failing([{ text: 'Half ' }, { end: true }]);

      expect(failure).toMatchObject({ code: 'answer_cut_short', retryable: true });
    });

    it('calls an error inside the stream retryable', async () => {
      const { pieces, failure } = await failing([{ text: 'Half ' }, { error: 'Overloaded' }]);

      expect(pieces).toHaveLength(1);
      expect(failure).toMatchObject({ retryable: true });
    });

    it('calls an unreadable piece retryable', async () => {
      const { failure } = await failing([{ text: 'Half ' }, { malformed: true }]);

      expect(failure).toMatchObject({ code: 'answer_malformed', retryable: true });
    });

    it.each([
      ['before the first piece', [{ stall: true }]],
      ['in the middle', [{ text: 'Half ' }, { stall: true }]],
    ] as const)('cuts a model that falls silent %s', async (_when, script) => {
      server.script(() => script);
      const router = routerFor(provider, { idleLimitMs: SHORT_IDLE_LIMIT_MS });
      const failure = await failureFrom(router.startCall(modelOf(router), request()));

      expect(failure).toMatchObject({ code: 'timed_out', retryable: true });
      await untilAborted();
    });

    it('ends the request at the provider when the signal fires', async () => {
      const stop = new AbortController();
      const events = start([{ text: 'Half ' }, { stall: true }], { signal: stop.signal });
      await events.next();
      stop.abort();

      await expect(events.next()).rejects.toBe(stop.signal.reason);
      await untilAborted();
    });

    it('ends the request at the provider when nobody reads on', async () => {
      const events = start([{ text: 'Half ' }, { stall: true }]);
      await events.next();
      await events.return(undefined);

      await untilAborted();
    });

    it('calls an unreachable provider retryable and does not name its address', async () => {
      const router = routerFor(provider, {
        baseUrl: `http://127.0.0.1:${await freePort()}/v1`,
      });
      const failure = await failureFrom(router.startCall(modelOf(router), request()));

      expect(failure).toMatchObject({ code: 'provider_unreachable', retryable: true });
      expect(failure.message).not.toContain('127.0.0.1');
    });

    it('leaves a provider alone that failed five times in a row', async () => {
      const router = routerFor(provider);
      server.script(() => [{ status: 500 }]);
      for (let failed = 0; failed < 5; failed++) {
        await failureFrom(router.startCall(modelOf(router), request()));
      }
      const calls = server.calls.length;
      const failure = await failureFrom(router.startCall(modelOf(router), request()));

      expect(failure).toMatchObject({ code: 'circuit_open', retryable: true });
      expect(server.calls).toHaveLength(calls);
      expect(router.breakers.map(({ name, state }) => [name, state])).toEqual([[provider, 'open']]);
    });

    it('does not hold mistakes of ours against a provider', async () => {
      const router = routerFor(provider);
      server.script(() => [{ status: 400 }]);
      for (let failed = 0; failed < 6; failed++) {
        await failureFrom(router.startCall(modelOf(router), request()));
      }

      expect(router.breakers[0]?.state).toBe('closed');
    });
  });

  function start(script: ModelScript, more: Partial<ModelRequest> = {}) {
    server.script(() => script);
    const router = routerFor(provider);
    return router.startCall(modelOf(router), request(more));
  }

  async function complete(script: ModelScript, more: Partial<ModelRequest> = {}) {
    const { events, error } = await drain(start(script, more));
    expect(error).toBeUndefined();
    return {
      pieces: events.filter((event) => 'text' in event),
      calls: events.flatMap((event) => (event.type === 'tool_call' ? [event.call] : [])),
      finish: events.find((event): event is ModelFinish => event.type === 'finish'),
    };
  }

  async function failing(script: ModelScript) {
    const { events, error } = await drain(start(script));
    return { pieces: events, failure: asFailure(error) };
  }

  async function failureOf(script: ModelScript): Promise<ModelFailure> {
    return failureFrom(start(script));
  }
}

function routerFor(
  provider: KeyedProviderName,
  { baseUrl = server.url, idleLimitMs = IDLE_LIMIT_MS } = {},
): ModelRouter {
  return new ModelRouter(
    loadConfig(z.object(llmSettings), {
      MODEL_IDLE_LIMIT_MS: String(idleLimitMs),
      [`${PREFIXES[provider]}_API_KEY`]: KEY,
      [`${PREFIXES[provider]}_BASE_URL`]: baseUrl,
    }),
  );
}

function modelOf(router: ModelRouter): Model {
  const [model] = router.candidates({});
  if (!model) {
    throw new Error('no model can be called');
  }
  return model;
}

function request(more: Partial<ModelRequest> = {}): ModelRequest {
  return {
    system: '',
    messages: [{ role: 'user', content: 'Hello' }],
    signal: new AbortController().signal,
    ...more,
  };
}

async function drain(stream: AsyncIterable<ModelEvent>) {
  const events: ModelEvent[] = [];
  try {
    for await (const event of stream) {
      events.push(event);
    }
    return { events, error: undefined };
  } catch (error) {
    return { events, error };
  }
}

async function failureFrom(stream: AsyncIterable<ModelEvent>): Promise<ModelFailure> {
  return asFailure((await drain(stream)).error);
}

function asFailure(error: unknown): ModelFailure {
  expect(error).toBeInstanceOf(ModelFailure);
  return error as ModelFailure;
}

async function untilAborted(): Promise<void> {
  await until(() => server.calls.at(-1)?.state === 'aborted');
}
