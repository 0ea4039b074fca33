import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AuditReport, conversationInbound, topicCatalog } from '@soma/contracts';
import { loadConfig } from '@soma/kernel';
import {
  CoalescingProducer,
  createTopics,
  DeadLetters,
  KafkaConnection,
  kafkaSettings,
} from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { createTestKafka } from '@soma/testing';
import { z } from 'zod';
import { runCommand, UsageError } from './commands.ts';

describe('npm run dlq', () => {
  const running = new AsyncDisposableStack();
  const kafka = running.use(createTestKafka());
  const config = loadConfig(z.object(kafkaSettings), {
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_TOPIC_PREFIX: kafka.topicPrefix,
  });
  const logger = createLogger({ service: 'dead-letters-tests', level: 'silent' });
  const connection = new KafkaConnection(config, { clientId: 'dead-letters-tests', logger });
  const producer = new CoalescingProducer(connection);
  const letters = new DeadLetters(connection, producer);
  const told: AuditReport[] = [];
  let isLogDown = false;

  beforeAll(async () => {
    running.defer(() => producer.onApplicationShutdown());
    await createTopics(connection, topicCatalog, 1);
    for (const key of ['acme:one', 'acme:two']) {
      const error = new Error('refused');
      const value = JSON.stringify({ of: key, ...(key === 'acme:one' && { tenant_id: 'acme' }) });
      await letters.put({ topic: conversationInbound.name, key, value, error, retries: 1 });
    }
  });
  afterAll(() => running.disposeAsync());

  async function run(...words: string[]): Promise<Record<string, unknown>[]> {
    const printed: Record<string, unknown>[] = [];
    const record = (report: AuditReport): Promise<void> => {
      if (isLogDown) return Promise.reject(new Error('The audit log is away.'));
      told.push(report);
      return Promise.resolve();
    };
    const options = { letters, record, operatorTenant: 'ops' };
    await runCommand(options, words, (value) => printed.push(value as Record<string, unknown>));
    return printed;
  }

  it('lists, shows, replays and drops', async () => {
    const [one, two] = await run('list');
    const [idOne, idTwo] = [String(one?.['id']), String(two?.['id'])];
    expect([one?.['key'], two?.['key']]).toEqual(['acme:one', 'acme:two']);
    expect(JSON.stringify([one, two])).not.toContain('original_event');

    expect(await run('show', idOne)).toMatchObject([
      { letter: { original_event: expect.stringContaining('acme:one'), error_message: 'refused' } },
    ]);
    isLogDown = true;
    await expect(run('replay', idOne)).rejects.toThrow('away');
    await expect(run('drop', idTwo)).rejects.toThrow('away');
    isLogDown = false;
    expect(await run('list')).toHaveLength(2);
    expect(await run('replay', idOne)).toEqual([{ id: idOne, outcome: 'replayed' }]);
    expect(await run('drop', idTwo)).toEqual([{ id: idTwo, outcome: 'dropped' }]);
    expect(await run('list', conversationInbound.name)).toEqual([]);
    // Who did it, and nothing of what people wrote.
    expect(told).toMatchObject([
      { tenant_id: 'acme', action: 'dead_letter.replay_requested', target: { id: idOne } },
      { tenant_id: 'ops', action: 'dead_letter.drop_requested', target: { id: idTwo } },
    ]);
    for (const { actor } of told) expect(actor.subject).toMatch(/^cli:.+@.+/);
    expect(JSON.stringify(told)).not.toContain('acme:');
  });

  it('says what is wrong with a command that it cannot run', async () => {
    await expect(run()).rejects.toThrow(UsageError);
    await expect(run('show')).rejects.toThrow('Usage');
    await expect(run('list', 'nothing')).rejects.toThrow('There is no topic "nothing"');
    await expect(run('drop', 'conversation.inbound:0:99')).rejects.toThrow('no open dead letter');
  });
});
