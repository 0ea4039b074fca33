import { afterAll, describe, expect, it } from '@jest/globals';
import { createTestKafka } from '@soma/testing';
import { ConfigResourceTypes } from 'kafkajs';
import { createTopics } from './create-topics.ts';
import { connectTo, noteTopic } from './spec-support.ts';

describe('createTopics', () => {
  const kafka = createTestKafka();
  const connection = connectTo(kafka);
  afterAll(async () => {
    await kafka[Symbol.asyncDispose]();
  });

  const create = (topic: ReturnType<typeof noteTopic>) => createTopics(connection, [topic], 1);

  async function settingsOf(topic: string): Promise<Map<string, string>> {
    const resource = { type: ConfigResourceTypes.TOPIC, name: connection.nameOf(topic) };
    const described = await connection.administer((admin) =>
      admin.describeConfigs({ resources: [resource], includeSynonyms: false }),
    );
    const entries = described.resources.flatMap(({ configEntries }) => configEntries);
    return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
  }

  it('makes a topic and its dead-letter topic, once, whoever else does the same', async () => {
    const topic = noteTopic('made', 5);
    const name = connection.nameOf('made');

    await Promise.all([create(topic), create(topic)]);

    expect(await create(topic)).toEqual([
      { topic: name, outcome: 'exists', partitions: 5 },
      { topic: `${name}.dlq`, outcome: 'exists', partitions: 5 },
    ]);
  });

  it("keeps no record longer than promised, and stamps it by the broker's clock", async () => {
    const topic = { ...noteTopic('kept'), retention: 24 * 60 * 60 * 1000 };
    await create(topic);

    const settings = await settingsOf('kept');

    const keptMs = Number(settings.get('retention.ms')) + Number(settings.get('segment.ms'));
    expect(keptMs).toBeLessThan(topic.retention);
    expect(settings.get('cleanup.policy')).toBe('delete');
    expect(settings.get('message.timestamp.type')).toBe('LogAppendTime');
  });

  it('keeps the last record of each key of a compacted topic, for a week', async () => {
    await create({ ...noteTopic('compacted'), retention: 'compacted' });

    const settings = await settingsOf('compacted');
    expect(settings.get('cleanup.policy')).toBe('compact,delete');
    expect(settings.get('retention.ms')).toBe(String(7 * 24 * 60 * 60 * 1000));
    expect((await settingsOf('compacted.dlq')).get('cleanup.policy')).toBe('delete');
  });

  it('reports a topic that has other partitions, and leaves it so', async () => {
    await create(noteTopic('grown', 2));

    const [outcome] = await create(noteTopic('grown', 3));

    expect(outcome).toMatchObject({ outcome: 'has_other_partitions', partitions: 2 });
  });
});
