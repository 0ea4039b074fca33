import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { until } from '@soma/testing';
import { Client, textOf } from './client.ts';
import { type Pod, startSystem, type System } from './system.ts';

/** What the model server does with a message, call by call; after that it echoes. */
const attempts = (...scripts: object[][]) => `!attempts ${JSON.stringify(scripts)}`;
const PARTITIONS = 12;

function typesOf(events: readonly { type: string }[]): string[] {
  return events.map(({ type }) => type);
}

/** Session ids whose records share a partition of `conversation.inbound`. */
function idsOfOnePartition(count: number): string[] {
  const choose = Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 1,
    replicas: [1],
    isr: [1],
  }));
  const partitionOf = (id: string) =>
    choose({ topic: '', partitionMetadata, message: { key: `acme:${id}`, value: '' } });
  const ids = Array.from({ length: count * PARTITIONS * 4 }, () => randomUUID());
  return ids.filter((id) => partitionOf(id) === 0).slice(0, count);
}

describe('promises while processes fail', () => {
  const running = new AsyncDisposableStack();
  let system: System;
  let client: Client;
  let gateway: Pod;

  beforeAll(async () => {
    system = await startSystem(running, { gateways: 2, workers: 2 });
    client = new Client(await system.tokenFor());
    [gateway] = system.gateways as [Pod];
  });

  afterAll(() => running.disposeAsync());

  const callsOf = (message: string) =>
    system.models.calls.filter((call) => call.message === message);

  /** The worker that makes the given call of a message, once it makes it. */
  async function workerOf(message: string, call = 1): Promise<Pod> {
    const { model } = await until(() => callsOf(message)[call - 1]);
    const worker = system.workers.find(({ name }) => name === model);
    if (worker === undefined) throw new Error(`No worker is called ${model}.`);
    return worker;
  }

  it('lets a turn of three leases and fast ones of its partition go side by side (P5)', async () => {
    const [slowId = '', ...fastIds] = idsOfOnePartition(21);
    const slow = attempts([{ text: 'slow ' }, { delay_ms: 3.5 * system.leaseMs }, { text: 'end' }]);
    await client.say(system.gateways, slow, slowId);
    await workerOf(slow);

    await Promise.all(
      fastIds.map(async (id) => {
        await client.say(system.gateways, 'fast', id);
        await client.ended(gateway, id);
      }),
    );

    expect(typesOf(await client.timeline(gateway, slowId))).not.toContain('assistant.final');
    const events = await client.ended(gateway, slowId);
    expect(typesOf(events)).toEqual(['user.message', 'assistant.started', 'assistant.final']);
    expect(events.at(-1)?.message).toBe('slow end');
  });

  it('goes on elsewhere when a worker is killed in the middle of an answer (P3, P4)', async () => {
    const sessionId = randomUUID();
    const message = attempts(
      [{ text: 'half an ' }, { stall: true }],
      [{ text: 'whole ' }, { text: 'answer 🎈' }],
    );
    const { cursor } = await client.say(system.gateways, message, sessionId);
    const reading = client.read(gateway, sessionId, { cursor });
    const worker = await workerOf(message);

    await worker.kill();
    await worker.start();

    const seen = (await reading).map(({ event }) => event);
    expect(textOf(seen)).toBe('whole answer 🎈');
    expect(seen.at(-1)).toMatchObject({ type: 'assistant.final', message: 'whole answer 🎈' });
    expect(seen.filter(({ type }) => type === 'assistant.final')).toHaveLength(1);
    await expect(
      system.query(
        `SELECT attempt, outcome FROM conversation.model_calls
          WHERE session_id = $1 ORDER BY attempt`,
        [sessionId],
      ),
    ).resolves.toEqual([
      { attempt: 1, outcome: 'lost' },
      { attempt: 2, outcome: 'finished' },
    ]);
  });

  it('ends a turn that kills its worker each time, and harms no other (rule 15)', async () => {
    const [deadly, other] = [randomUUID(), randomUUID()];
    const stall = [{ text: 'dying ' }, { stall: true }];
    const message = attempts(stall, stall, stall, stall);
    await client.say(system.gateways, message, deadly);
    for (const call of [1, 2, 3]) {
      const worker = await workerOf(message, call);
      await client.say(system.gateways, `beside ${call}`, other);
      await worker.kill();
      await worker.start();
    }

    const events = await client.ended(gateway, deadly);
    const others = await client.ended(gateway, other, 3);

    expect(events.at(-1)).toMatchObject({
      type: 'assistant.error',
      metadata: { code: 'turn_died' },
    });
    expect(callsOf(message)).toHaveLength(3);
    expect(others.filter(({ type }) => type === 'assistant.final')).toHaveLength(3);
    await expect(deadLetters()).resolves.toBe(1);
  });

  async function deadLetters(): Promise<number> {
    const { brokers, topicPrefix } = system.kafka;
    const admin = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const offsets = await admin.fetchTopicOffsets(`${topicPrefix}conversation.inbound.dlq`);
    await admin.disconnect();
    return offsets.reduce((sum, { high }) => sum + Number(high), 0);
  }

  it('changes nothing when a worker wakes up that was frozen past its lease (P3)', async () => {
    const sessionId = randomUUID();
    const message = attempts(
      [{ text: 'from the ' }, { delay_ms: 500 }, { text: 'frozen' }],
      [{ text: 'from the heir' }],
    );
    await client.say(system.gateways, message, sessionId);
    const worker = await workerOf(message);

    worker.freeze();
    const events = await client.ended(gateway, sessionId);
    worker.thaw();
    // It has the whole answer by now, and finds out that nobody wants it.
    await until(async () => {
      const metrics = await (await fetch(`${worker.url}/metrics`)).text();
      return /soma_turns_ended_total{outcome="lost"} [1-9]/.test(metrics);
    });

    expect(events.at(-1)).toMatchObject({ type: 'assistant.final', message: 'from the heir' });
    await expect(client.timeline(gateway, sessionId)).resolves.toEqual(events);
  });

  it('serves an answer whole from a pod that started in the middle of it (P4)', async () => {
    const sessionId = randomUUID();
    const words = Array.from({ length: 60 }, (_, index) => `word${index} `);
    const message = attempts(words.flatMap((text) => [{ text }, { delay_ms: 150 }]));
    const { cursor } = await client.say(system.gateways, message, sessionId);
    await workerOf(message);

    const late = await system.addGateway();
    const seen = await client.read(late, sessionId, { cursor });

    expect(textOf(seen.map(({ event }) => event))).toBe(words.join(''));
    expect(seen.at(-1)?.event).toMatchObject({ type: 'assistant.final', message: words.join('') });
  });

  it('cancels during the wait for the first token and during text, and not after the end', async () => {
    const cancel = (sessionId: string) =>
      client.request(gateway, `/v1/session/${sessionId}/cancel`, { method: 'POST', body: '{}' });
    for (const begun of [[{ stall: true }], [{ text: 'begun ' }, { stall: true }]]) {
      const sessionId = randomUUID();
      const message = `${attempts(begun)} ${sessionId}`;
      await client.say(system.gateways, message, sessionId);
      await workerOf(message);

      expect((await cancel(sessionId)).status).toBe(200);

      await until(() => callsOf(message)[0]?.state === 'aborted');
      const events = await client.timeline(gateway, sessionId);
      expect(typesOf(events)).toEqual(['user.message', 'assistant.started', 'assistant.cancelled']);
      expect((await cancel(sessionId)).status).toBe(409);
    }
  });

  it('begins the next queued message without waiting for a sweep', async () => {
    const sessionId = randomUUID();
    // The first answer takes longer than the others take to queue up: nothing wakes a worker later.
    await client.say(
      system.gateways,
      attempts([{ text: 'first' }, { delay_ms: 1_500 }]),
      sessionId,
    );
    for (let index = 1; index < 10; index++) {
      await client.say(system.gateways, `queued ${index}`, sessionId);
    }

    const events = await client.ended(gateway, sessionId, 10);

    const at = (type: string) =>
      events.filter((event) => event.type === type).map((event) => Date.parse(event.occurred_at));
    const [started, finals] = [at('assistant.started'), at('assistant.final')];
    const gaps = finals.slice(0, -1).map((end, index) => (started[index + 1] ?? Infinity) - end);
    // A sweep every 250 ms would leave half of that between two turns.
    expect(gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length).toBeLessThan(125);
  });
});
