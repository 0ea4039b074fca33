import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, type INestMicroservice, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { TransientError } from '@soma/kernel';
import { renderMetrics } from '@soma/observability';
import { createTestKafka } from '@soma/testing';
import type { TopicBatch } from './batch-handler.ts';
import { CoalescingProducer } from './coalescing-producer.ts';
import { DeadLetters } from './dead-letters.ts';
import { KafkaConsumers } from './kafka-consumers.ts';
import { OnTopicBatch } from './on-topic-batch.ts';
import {
  connectTo,
  eventually,
  makeTopics,
  type Note,
  noteRecord,
  noteTopic,
} from './spec-support.ts';

const topic = noteTopic('consumed');
const group = 'tests';

/** What the handler below has been given, in this file's one process. */
const handled: string[] = [];
let fault: Error | undefined;
/** What handling waits for. */
let hold: Promise<void> | undefined;

@Controller()
class NotesConsumer {
  @OnTopicBatch(topic, { group })
  async onNotes(batch: TopicBatch<Note>): Promise<void> {
    await hold;
    if (fault) throw fault;
    if (batch.some(({ value }) => value.text === 'poison')) {
      throw new Error('a constraint says no');
    }
    handled.push(...batch.map(({ value }) => value.text));
  }
}

@Module({ controllers: [NotesConsumer] })
class ConsumerModule {}

describe('@OnTopicBatch', () => {
  const running = new AsyncDisposableStack();
  const kafka = running.use(createTestKafka());
  const connection = connectTo(kafka);
  const producer = new CoalescingProducer(connection);
  const deadLetters = new DeadLetters(connection, producer);
  let service: INestMicroservice;

  beforeAll(async () => {
    await makeTopics(connection, topic);
    running.defer(() => producer.onApplicationShutdown());
    service = await startService();
    running.defer(() => service.close());
  });
  afterAll(() => running.disposeAsync());

  async function startService(): Promise<INestMicroservice> {
    const strategy = new KafkaConsumers(connection, deadLetters);
    const created = await NestFactory.createMicroservice<MicroserviceOptions>(ConsumerModule, {
      strategy,
      logger: false,
    });
    await created.listen();
    return created;
  }

  const send = (text: string, headers = {}): Promise<void> =>
    producer.send({ ...noteRecord(topic.name, `key of ${text}`, text), headers });

  it('says how much waits behind a batch that is stuck', async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    hold = promise;
    for (const text of ['stuck 1', 'stuck 2', 'stuck 3']) await send(text);

    try {
      await eventually(async () => {
        const metrics = await renderMetrics();
        const lags = metrics.matchAll(
          /^soma_kafka_consumer_lag_records\{topic="consumed".* (\d+)$/gm,
        );
        expect([...lags].reduce((sum, [, records]) => sum + Number(records), 0)).toBe(3);
      });
    } finally {
      hold = undefined;
      resolve(undefined);
    }
    await eventually(() => {
      expect(handled).toEqual(expect.arrayContaining(['stuck 1', 'stuck 2', 'stuck 3']));
    });
  });

  it('gets records that were sent before the group was first seen', async () => {
    await send('first');

    await eventually(() => {
      expect(handled).toContain('first');
    });
  });

  it('goes on past poison, which becomes a dead letter with its headers (P5)', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await producer.sendAll([
      noteRecord(topic.name, 'same key', 'good before'),
      { ...noteRecord(topic.name, 'same key', 'poison'), headers: { traceparent } },
      { topic: topic.name, key: 'same key', value: 'no JSON' },
      noteRecord(topic.name, 'same key', 'good after'),
    ]);

    await eventually(() => {
      expect(handled).toEqual(expect.arrayContaining(['good before', 'good after']));
    });
    await eventually(async () => {
      const letters = await deadLetters.list(topic.name);
      expect(letters.map(({ letter }) => letter.original_event)).toEqual(
        expect.arrayContaining(['no JSON', noteRecord('', 'same key', 'poison').value]),
      );
      const poison = letters.find(({ letter }) => letter.original_event.includes('poison'));
      expect(poison).toMatchObject({
        key: 'same key',
        headers: { traceparent },
        letter: {
          source_topic: topic.name,
          error_message: 'a constraint says no',
          error_type: 'Error',
          retry_count: 1,
        },
      });
    });
  });

  it("waits while a server is down, and gives up nothing (P5: it is nobody's poison)", async () => {
    const lettersBefore = (await deadLetters.list(topic.name)).length;
    fault = new TransientError('Writing');
    await send('while down');
    await send('while down too');
    fault = undefined;

    await eventually(() => {
      expect(handled).toEqual(expect.arrayContaining(['while down', 'while down too']));
    });
    expect(await deadLetters.list(topic.name)).toHaveLength(lettersBefore);
  });

  it('has committed all it handled when it stops, so that the next process repeats nothing', async () => {
    await send('last of the old');
    await eventually(() => {
      expect(handled).toContain('last of the old');
    });

    await service.close();
    handled.length = 0;
    service = await startService();
    await send('first of the new');

    await eventually(() => {
      expect(handled).toContain('first of the new');
    });
    expect(handled).toEqual(['first of the new']);
  });

  it('does not commit what it could not handle before it stopped', async () => {
    fault = new TransientError('Writing');
    await send('unfinished');
    await service.close();
    fault = undefined;
    service = await startService();

    await eventually(() => {
      expect(handled).toContain('unfinished');
    });
  });
});
