import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { AcceptTurns } from '@soma/sessions';
import { type ModelScript, until } from '@soma/testing';
import {
  acme,
  follow,
  startServers,
  startWorker,
  type TestWorker,
  type WorkerServers,
} from '../spec-support.ts';

describe('a worker with one slot and two providers', () => {
  const running = new AsyncDisposableStack();
  let servers: WorkerServers;
  let worker: TestWorker;

  beforeAll(async () => {
    servers = await startServers(running);
    const { url } = servers.models;
    const anthropic = { ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: url };
    worker = await startWorker(running, servers, { settings: { MAX_TURNS: '1', ...anthropic } });
  });

  afterEach(() => {
    servers.models.script(undefined);
  });

  afterAll(() => running.disposeAsync());

  const say = (tenant_id: string, message: string) =>
    worker.get(AcceptTurns).accept({ principal: { ...acme, tenant_id }, message });

  /** Has the first provider fail, and the second answer. */
  async function askBoth(message: string, failing: ModelScript) {
    servers.models.script(({ api }) =>
      api === 'anthropic' ? failing : [{ text: 'The second ' }, { text: 'answers.' }],
    );
    const { session_id } = await worker.say(message);
    const events = await worker.endOf(session_id);
    const asked = servers.models.calls.filter((call) => call.message === message);
    return { events, asked: asked.map(({ api }) => api) };
  }

  it('asks the next provider in place when one fails before its first text', async () => {
    const { events, asked } = await askBoth('before the first text', [{ status: 500 }]);

    expect(asked).toEqual(['anthropic', 'openai']);
    expect(events.map(({ type }) => type)).toEqual([
      ...['user.message', 'assistant.started', 'assistant.final'],
    ]);
    expect(events.at(-1)).toMatchObject({
      message: 'The second answers.',
      metadata: { model: 'openai/gpt-4o' },
    });
  });

  it('asks the next provider by a new attempt when one fails after text was streamed (rule 16)', async () => {
    const broken = [{ text: 'Half of ' }, { drop: true as const }];
    const { events, asked } = await askBoth('after the first text', broken);

    expect(asked).toEqual(['anthropic', 'openai']);
    expect(events.map(({ type, keep }) => [type, keep])).toEqual([
      ...[
        ['user.message', undefined],
        ['assistant.started', 0],
      ],
      ...[
        ['assistant.started', 0],
        ['assistant.final', undefined],
      ],
    ]);
    expect(events.at(-1)).toMatchObject({
      message: 'The second answers.',
      metadata: { model: 'openai/gpt-4o' },
    });
  });

  it("runs one turn at a time, and a newcomer's next, while another tenant goes on and on", async () => {
    const { models } = servers;
    const flood = follow([{ delay_ms: 20 }, { text: 'of many' }]);
    const callsOf = (message: string) => models.calls.filter((call) => call.message === message);
    let atOnce = 0;
    models.script(() => {
      const open = models.calls.filter(({ state }) => state === 'open').length;
      atOnce = Math.max(atOnce, open);
      return undefined;
    });
    /** How many turns run before the only one of a tenant. */
    const wait = async (newcomer: string): Promise<number> => {
      await say(newcomer, newcomer);
      const before = models.calls.length;
      while (callsOf(newcomer).length === 0) {
        // What comes meanwhile takes no slot before those who wait.
        await Promise.all([say('flood', flood), say('flood', flood)]);
      }
      return models.calls.findIndex(({ message }) => message === newcomer) - before;
    };
    const { session_id } = await worker.say('the first of all');
    await worker.endOf(session_id);
    await Promise.all(Array.from({ length: 60 }, () => say('flood', flood)));
    await until(() => callsOf(flood).length > 3);

    const waits: number[] = [];
    for (let newcomer = 0; newcomer < 5; newcomer++) {
      waits.push(await wait(`newcomer-${newcomer}`));
    }

    expect(Math.max(...waits)).toBeLessThanOrEqual(2);
    expect(atOnce).toBe(1);
  });
});
