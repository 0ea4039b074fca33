import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deadLetterTopic } from '@soma/contracts';
import { createTestKafka } from '@soma/testing';
import { CoalescingProducer } from './coalescing-producer.ts';
import { DeadLetters } from './dead-letters.ts';
import { MAX_RECORD_BYTES } from './outgoing-record.ts';
import { connectTo, makeTopics, noteTopic, recordsOf } from './spec-support.ts';

describe('DeadLetters', () => {
  const running = new AsyncDisposableStack();
  const kafka = running.use(createTestKafka());
  const connection = connectTo(kafka);
  const producer = new CoalescingProducer(connection);
  const deadLetters = new DeadLetters(connection, producer);
  const topics = [noteTopic('replayed'), noteTopic('dropped'), noteTopic('huge'), noteTopic('odd')];

  beforeAll(async () => {
    running.defer(() => producer.onApplicationShutdown());
    await makeTopics(connection, ...topics);
  });
  afterAll(() => running.disposeAsync());

  const put = (topic: string, value: string) =>
    deadLetters.put({
      topic,
      key: 'acme:s1',
      value,
      headers: { traceparent: '00-1' },
      error: new RangeError('too much'),
      retries: 2,
    });

  it('replays the original with its key and headers, once', async () => {
    await put('replayed', '{"original":"ä"}');
    const [open] = await deadLetters.list('replayed');
    expect(open).toMatchObject({
      key: 'acme:s1',
      letter: { error_type: 'RangeError', error_message: 'too much', retry_count: 2 },
    });
    const id = open?.id ?? '';

    expect(await deadLetters.find(id)).toEqual(open);
    expect([await deadLetters.replay(id), await deadLetters.replay(id)]).toEqual([true, false]);

    expect(await recordsOf(connection, 'replayed')).toMatchObject([
      { key: 'acme:s1', value: '{"original":"ä"}', headers: { traceparent: '00-1' } },
    ]);
    expect(await deadLetters.list('replayed')).toEqual([]);
  });

  it('forgets one that is dropped, and keeps the others of its key', async () => {
    await put('dropped', 'one');
    await put('dropped', 'two');
    const [one] = await deadLetters.list('dropped');

    expect(await deadLetters.drop(one?.id ?? '')).toBe(true);

    const left = await deadLetters.list('dropped');
    expect(left.map(({ letter }) => letter.original_event)).toEqual(['two']);
    expect(await recordsOf(connection, 'dropped')).toEqual([]);
  });

  it('keeps the reason when the original is too large to quote', async () => {
    await put('huge', '"'.repeat(MAX_RECORD_BYTES / 2));

    expect(await deadLetters.list('huge')).toMatchObject([
      { letter: { original_event: '', error_message: 'too much' } },
    ]);
  });

  it('shows a record that is no dead letter, so that it can be dropped', async () => {
    await producer.send({ topic: deadLetterTopic('odd'), key: 'k', value: 'what?' });
    const [odd] = await deadLetters.list('odd');

    expect(odd).toMatchObject({ letter: { original_event: 'what?' } });
    expect(await deadLetters.drop(odd?.id ?? '')).toBe(true);
    expect(await deadLetters.list('odd')).toEqual([]);
  });

  it('knows no letter that is not there', async () => {
    expect(await deadLetters.drop('odd:0:999')).toBe(false);
  });
});
