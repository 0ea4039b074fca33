import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ConfigUpdate, configUpdates } from '@soma/contracts';
import { createTestKafka } from '@soma/testing';
import { CoalescingProducer } from './coalescing-producer.ts';
import { ConfigUpdatesReader } from './config-updates-reader.ts';
import { connectTo, eventually, makeTopics } from './spec-support.ts';

describe('ConfigUpdatesReader', () => {
  const running = new AsyncDisposableStack();
  const kafka = running.use(createTestKafka());
  const connection = connectTo(kafka);
  const producer = new CoalescingProducer(connection);

  beforeAll(async () => {
    await makeTopics(connection, configUpdates);
  });
  afterAll(async () => {
    await producer.onApplicationShutdown();
    await running.disposeAsync();
  });

  async function announce(id: string, value?: string): Promise<void> {
    const update: ConfigUpdate = {
      schema: configUpdates.version,
      entity: 'api_key',
      id,
      version: 1,
      deleted: true,
      tenant_id: 'acme',
      occurred_at: new Date().toISOString(),
    };
    const key = configUpdates.key(update);
    const { name: topic } = configUpdates;
    await producer.send({ topic, key, value: value ?? JSON.stringify(update) });
  }

  function startReader(on = connection): { reader: ConfigUpdatesReader; heard: string[] } {
    const heard: string[] = [];
    const reader = new ConfigUpdatesReader(on);
    reader.listen(({ id }) => heard.push(id));
    running.defer(() => reader.onApplicationShutdown());
    reader.onApplicationBootstrap();
    return { reader, heard };
  }

  it('has caught up at once where nothing was ever told', async () => {
    const { reader } = startReader();

    await eventually(() => {
      expect(reader.isCaughtUp).toBe(true);
    });
  });

  it('has heard all that was told before, when it says so, and hears what comes', async () => {
    const earlier = Array.from({ length: 500 }, (_, index) => `acme:${index}`);
    await Promise.all(earlier.map((id) => announce(id)));
    const { reader, heard } = startReader();
    expect(reader.isCaughtUp).toBe(false);

    await eventually(() => {
      expect(reader.isCaughtUp).toBe(true);
    });
    expect(heard).toEqual(expect.arrayContaining(earlier));

    await announce('acme:later');
    await eventually(() => {
      expect(heard).toContain('acme:later');
    });
  });

  it('goes on behind what it cannot read', async () => {
    const { heard } = startReader();
    await announce('acme:broken', '{');
    await announce('acme:unknown', JSON.stringify({ entity: 'of a later release' }));
    await announce('acme:after');

    await eventually(() => {
      expect(heard).toContain('acme:after');
    });
    expect(heard).not.toContain('acme:broken');
  });
});
