import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@soma/testing';
import { Client, textOf } from './client.ts';
import { type Executor, startExecutor } from './executor.ts';
import { type Pod, startSystem, type System } from './system.ts';

const WORKER_PROGRAM = join(import.meta.dirname, 'worker-with-tools.ts');
const TYPES = [
  ...['user.message', 'assistant.started', 'tool.start', 'tool.result'],
  ...['assistant.started', 'assistant.final'],
];

/** A turn that says something, looks a word up, and says what it found. */
const lookUp = (word: string) =>
  `!attempts ${JSON.stringify([
    [{ text: 'Let me ' }, { text: 'see 🔎. ' }, { call: { tool: 'look_up', arguments: { word } } }],
    [{ text: 'It is ' }, { delay_ms: 200 }, { text: 'a 🏙️ city.' }],
  ])}`;
const TEXT = 'Let me see 🔎. It is a 🏙️ city.';

describe('turns that wait for tools', () => {
  const running = new AsyncDisposableStack();
  let system: System;
  let client: Client;
  let executor: Executor;
  let gateway: Pod;
  let other: Pod;

  beforeAll(async () => {
    system = await startSystem(running, {
      ...{ gateways: 2, workers: 2, workerProgram: WORKER_PROGRAM },
    });
    client = new Client(await system.tokenFor());
    executor = await startExecutor(running, system);
    [gateway, other] = system.gateways as [Pod, Pod];
  });

  afterAll(() => running.disposeAsync());

  async function workerOf(message: string): Promise<Pod> {
    const { model } = await until(() =>
      system.models.calls.find((call) => call.message === message),
    );
    const worker = system.workers.find(({ name }) => name === model);
    if (worker === undefined) throw new Error(`No worker is called ${model}.`);
    return worker;
  }

  it('go on elsewhere when the worker that asked is killed (P3, P4)', async () => {
    const sessionId = randomUUID();
    const message = lookUp('killed');
    const { cursor } = await client.say(system.gateways, message, sessionId);
    const reading = client.read(gateway, sessionId, { cursor });
    const worker = await workerOf(message);
    const request = await executor.requestOf(sessionId);

    await worker.kill();
    await executor.answer(request, 'a city');

    const seen = (await reading).map(({ event }) => event);
    await worker.start();
    expect(textOf(seen)).toBe(TEXT);
    expect(seen.at(-1)).toMatchObject({ type: 'assistant.final', message: TEXT });
    const events = await client.timeline(gateway, sessionId);
    expect(events.map(({ type }) => type)).toEqual(TYPES);
    await expect(
      system.query(
        `SELECT attempt, outcome FROM conversation.model_calls
          WHERE session_id = $1 ORDER BY attempt`,
        [sessionId],
      ),
    ).resolves.toEqual([
      { attempt: 1, outcome: 'finished' },
      { attempt: 2, outcome: 'finished' },
    ]);
  });

  it('go on when every worker is killed and one comes back', async () => {
    const sessionId = randomUUID();
    await client.say(system.gateways, lookUp('all killed'), sessionId);
    const request = await executor.requestOf(sessionId);

    await Promise.all(system.workers.map((worker) => worker.kill()));
    await executor.answer(request, 'a city');
    await Promise.all(system.workers.map((worker) => worker.start()));

    const events = await client.ended(gateway, sessionId);
    expect(events.map(({ type }) => type)).toEqual(TYPES);
  });

  it('stream the same from every cursor of every gateway (P4)', async () => {
    const sessionId = randomUUID();
    const { cursor } = await client.say(system.gateways, lookUp('streamed'), sessionId);
    const reading = client.read(gateway, sessionId, { cursor });
    const request = await executor.requestOf(sessionId);
    const early = client.read(other, sessionId, { cursor: `${request.seq}.0` });
    await executor.answer(request, 'a city');

    const whole = await reading;
    const types = whole.map(({ event }) => event.type);
    const fromMiddle = (await early).map(({ event }) => event.type);

    expect(types.filter((type) => type !== 'assistant.delta')).toEqual(TYPES.slice(1));
    expect(textOf(whole.map(({ event }) => event))).toBe(TEXT);
    expect(fromMiddle.filter((type) => type !== 'assistant.delta')).toEqual(TYPES.slice(3));
    for (const [index, { id = '' }] of whole.slice(0, -1).entries()) {
      const rest = await client.read(other, sessionId, { cursor: id });
      const joined = [...whole.slice(0, index + 1), ...rest].map(({ event }) => event);
      expect(textOf(joined)).toBe(TEXT);
      expect(joined.map(({ type }) => type).filter((type) => type !== 'assistant.delta')).toEqual(
        TYPES.slice(1),
      );
    }
  });
});
