import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestKafka, type KafkaServer, startKafka } from '@soma/testing';
import { BroadcastReader } from './broadcast-reader.ts';
import { CoalescingProducer } from './coalescing-producer.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { connectTo, eventually, makeTopics, noteRecord, noteTopic } from './spec-support.ts';

describe('BroadcastReader', () => {
  const running = new AsyncDisposableStack();
  const kafka = running.use(createTestKafka());
  const topic = noteTopic('broadcast');
  let producer: CoalescingProducer;

  beforeAll(async () => {
    await makeTopics(connectTo(kafka), topic);
    producer = new CoalescingProducer(connectTo(kafka));
    running.defer(() => producer.onApplicationShutdown());
  });
  afterAll(() => running.disposeAsync());

  function read(connection: KafkaConnection, beginBackMs = 0) {
    const texts: string[] = [];
    const assignments: number[][] = [];
    const reader = new BroadcastReader({
      connection,
      topic: topic.name,
      beginBackMs,
      onRecord: (_key, value) => {
        if (value.toString() === 'bad') throw new Error('not understood');
        texts.push((JSON.parse(value.toString()) as { text: string }).text);
      },
      onAssigned: (partitions) => assignments.push([...partitions].sort()),
    });
    reader.onApplicationBootstrap();
    running.defer(() => reader.onApplicationShutdown());
    return { reader, texts, assignments };
  }

  async function send(text: string, through = producer): Promise<void> {
    await through.send(noteRecord(topic.name, `key of ${text}`, text));
  }

  it('gives every process every record that is written once it is ready', async () => {
    const [one, other] = [read(connectTo(kafka)), read(connectTo(kafka))];
    await Promise.all([one.reader.ready, other.reader.ready]);

    await Promise.all(Array.from({ length: 30 }, (_, index) => send(`all-${index}`)));

    await eventually(() => {
      expect([one.texts, other.texts].map((texts) => new Set(texts).size)).toEqual([30, 30]);
    });
    expect(one.assignments).toEqual([[0, 1, 2]]);
  });

  it('begins as far back as it is told, and not before', async () => {
    const marker = `marker-${Date.now()}`;
    await send(marker);

    const back = read(connectTo(kafka), 15_000);
    const now = read(connectTo(kafka), 0);
    await Promise.all([back.reader.ready, now.reader.ready]);
    await send('after');

    await eventually(() => {
      expect(back.texts).toContain(marker);
      expect(now.texts).toEqual(['after']);
    });
  });

  it('goes on after a record that its receiver cannot take', async () => {
    const { reader, texts } = read(connectTo(kafka));
    await reader.ready;

    await producer.send({ topic: topic.name, key: 'same', value: 'bad' });
    await producer.send(noteRecord(topic.name, 'same', 'good'));

    await eventually(() => {
      expect(texts).toEqual(['good']);
    });
  });

  it('removes its group when it stops', async () => {
    const connection = connectTo({ ...kafka, topicPrefix: `${kafka.topicPrefix}left.` });
    await makeTopics(connection, topic);
    const { reader } = read(connection);
    await reader.ready;
    const groups = () =>
      connection.administer(async (admin) => {
        const all = (await admin.listGroups()).groups.map(({ groupId }) => groupId);
        return all.filter((group) => group.startsWith(connection.nameOf('')));
      });
    expect(await groups()).toHaveLength(1);

    await reader.onApplicationShutdown();

    expect(await groups()).toEqual([]);
  });

  describe('when the broker is killed', () => {
    let server: KafkaServer;
    beforeAll(async () => {
      server = running.use(await startKafka());
    });

    it('goes on behind the last record, without a gap or a repeat (P4)', async () => {
      const connection = connectTo({ brokers: server.brokers, topicPrefix: '' });
      await makeTopics(connection, topic);
      const ownProducer = new CoalescingProducer(connection);
      running.defer(() => ownProducer.onApplicationShutdown());
      const { reader, texts } = read(connection);
      await reader.ready;
      await send('before', ownProducer);
      await eventually(() => {
        expect(texts).toEqual(['before']);
      });

      await server.kill();
      await expect(send('lost', ownProducer)).rejects.toThrow('Sending records to Kafka');
      await server.start();
      await eventually(() => send('after', ownProducer));

      await eventually(() => {
        expect(texts).toEqual(['before', 'after']);
      });
    });
  });
});
