import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { findBreakingChanges } from './breaking-changes.ts';
import { topicCatalog } from './catalog.ts';
import type { Topic } from './topic.ts';
import { type JsonSchema, topicSchema } from './topic-schema.ts';
import type { z } from 'zod';

const folder = join(import.meta.dirname, '../../schemas/kafka');
const topics: Topic<z.ZodType>[] = [...topicCatalog];

function committed(file: string): JsonSchema {
  // We generated the file ourselves.
  return JSON.parse(readFileSync(join(folder, file), 'utf8')) as JsonSchema;
}

function sample(schema: string): Record<string, unknown> {
  return {
    schema,
    tenant_id: 'acme',
    session_id: 's-1',
    turn_id: null,
    cursor: '1',
    principal: { subject: 'anna' },
    occurred_at: '2026-01-31T09:30:00.000Z',
    type: 'user.message',
    event_id: '0197b7a1-0000-7000-8000-000000000000',
    seq: 1,
    persona_id: null,
    role: 'user',
    message: 'Grüße 👋',
    metadata: { nested: { list: [1, null, 'x'] } },
  };
}

describe.each(topics.map((topic) => [topic.name, topic] as const))('%s', (_name, topic) => {
  it('has its schema committed (else: npm run generate)', () => {
    expect(committed(`${topic.version}.json`)).toEqual(topicSchema(topic));
  });

  it('breaks no consumer or producer that is one version behind', () => {
    const released = committed(`released/${topic.version}.json`);

    expect(findBreakingChanges(released, topicSchema(topic))).toEqual([]);
  });

  it('means the same as JSON Schema and in our code', () => {
    const validate = new Ajv2020({ validateFormats: false }).compile(topicSchema(topic));
    const good = sample(topic.version);
    const bad: unknown[] = [
      { ...good, tenant_id: 'a b' },
      { ...good, seq: 0 },
      { ...good, seq: '1' },
      { ...good, type: 'assistant.unknown' },
      { ...good, occurred_at: '2026-01-31T09:30:00Z' },
      { ...good, message: undefined },
    ];
    const ahead = { ...good, of_a_later_version: true };

    for (const value of [good, ahead, ...bad]) {
      const asJson: unknown = JSON.parse(JSON.stringify(value));
      expect([validate(asJson), topic.schema.safeParse(asJson).success]).toEqual(
        Array.from({ length: 2 }, () => !bad.includes(value)),
      );
    }
  });
});
