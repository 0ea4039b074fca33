import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TransientError } from '@soma/kernel';
import { createTestKafka, freePort } from '@soma/testing';
import { CoalescingProducer } from './coalescing-producer.ts';
import { MAX_RECORD_BYTES, RecordTooLargeError } from './outgoing-record.ts';
import { connectTo, makeTopics, noteRecord, noteTopic, recordsOf } from './spec-support.ts';

describe('CoalescingProducer', () => {
  const running = new AsyncDisposableStack();
  const kafka = running.use(createTestKafka());
  const ordered = noteTopic('ordered');
  const large = noteTopic('large');

  beforeAll(() => makeTopics(connectTo(kafka), ordered, large));
  afterAll(() => running.disposeAsync());

  function createProducer(settings: Record<string, string> = {}): CoalescingProducer {
    const producer = new CoalescingProducer(connectTo(kafka, settings));
    running.defer(() => producer.onApplicationShutdown());
    return producer;
  }

  it('keeps the order of each key, whatever goes together', async () => {
    const producer = createProducer();
    const sent = Array.from({ length: 5_000 }, (_, index) =>
      noteRecord(ordered.name, `key-${index % 7}`, String(index).padStart(5, '0')),
    );

    await Promise.all(sent.map((record) => producer.send(record)));

    const read = await recordsOf(connectTo(kafka), ordered.name);
    const valuesOf = (records: { key: string; value: string }[], key: string) =>
      records.filter((record) => record.key === key).map(({ value }) => value);
    expect(read).toHaveLength(sent.length);
    for (let key = 0; key < 7; key++) {
      expect(valuesOf(read, `key-${key}`)).toEqual(valuesOf(sent, `key-${key}`));
    }
  });

  it('takes a record of the largest size, and refuses one that no topic takes', async () => {
    const producer = createProducer();
    const [key, value] = ['key', 'x'.repeat(MAX_RECORD_BYTES - 3)];

    await producer.send({ topic: large.name, key, value });
    const refused = producer.sendAll([
      noteRecord(large.name, key, 'beside it'),
      { topic: large.name, key, value: value + 'x' },
    ]);

    await expect(refused).rejects.toThrow(RecordTooLargeError);
    expect(await recordsOf(connectTo(kafka), large.name)).toHaveLength(1);
  });

  it('refuses more than may wait, and takes more when there is room again', async () => {
    const producer = createProducer({ KAFKA_SEND_BUFFER_RECORDS: '10' });
    const send = () => producer.send(noteRecord(ordered.name, 'key', 'text'));

    // The first is under way at once, and ten wait.
    const taken = Array.from({ length: 11 }, send);

    await expect(send()).rejects.toThrow(TransientError);
    await Promise.all(taken);
    await expect(send()).resolves.toBeUndefined();
  });

  it('fails soon while Kafka is down, and says so', async () => {
    const nobody = { brokers: `127.0.0.1:${await freePort()}`, topicPrefix: '' };
    const producer = new CoalescingProducer(connectTo(nobody));

    await expect(producer.send(noteRecord('any', 'key', 'text'))).rejects.toThrow(TransientError);
    expect(producer.isReachable).toBe(false);
    await producer.onApplicationShutdown();
  });
});
