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

interface Sample {
  good: Record<string, unknown>;
  /** Each makes the good value a bad one. */
  faults: Record<string, unknown>[];
}

const conversation: Sample = {
  good: {
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
  },
  faults: [
    { tenant_id: 'a b' },
    { seq: 0 },
    { seq: '1' },
    { type: 'assistant.unknown' },
    { occurred_at: '2026-01-31T09:30:00Z' },
    { message: undefined },
  ],
};

/** What a request for a tool and its result have in common. */
const toolEnvelope = {
  tenant_id: 'acme',
  session_id: 's-1',
  turn_id: '0197b7a1-0000-7000-8000-000000000000',
  seq: 3,
  cursor: '3.0',
  principal: { subject: 'anna' },
  occurred_at: '2026-01-31T09:30:00.000Z',
  call_id: '0197b7a1-0000-7000-8000-000000000001',
  attempt: 1,
};

/** One of every topic, by its name. */
const samples: Partial<Record<string, Sample>> = {
  'conversation.inbound': conversation,
  'conversation.outbound': conversation,
  'tool.requests': {
    good: {
      ...toolEnvelope,
      type: 'tool.request',
      tool: 'look_up',
      arguments: { city: 'Köln', days: [1, null] },
      argument_hash: 'a'.repeat(64),
      deadline: '2026-01-31T09:31:00.000Z',
    },
    faults: [
      { tool: 'look up' },
      { arguments: ['Köln'] },
      { argument_hash: 'A'.repeat(64) },
      { attempt: 0 },
      { deadline: undefined },
      { type: 'tool.result' },
    ],
  },
  'tool.results': {
    good: {
      ...toolEnvelope,
      type: 'tool.result',
      status: 'ok',
      output: { degrees: [21.5, null] },
      usage: { duration_ms: 12 },
    },
    faults: [
      { status: 'fine' },
      { output: undefined },
      { usage: {} },
      { call_id: 7 },
      { attempt: undefined },
    ],
  },
  'config.updates': {
    good: {
      entity: 'principal',
      id: 'acme:anna',
      version: 1_790_000_000,
      deleted: false,
      tenant_id: 'acme',
      occurred_at: '2026-01-31T09:30:00.000Z',
    },
    faults: [{ entity: 'weather' }, { id: '' }, { version: -1 }, { deleted: undefined }],
  },
  'audit.events': {
    good: {
      audit_id: '0197b7a1-0000-7000-8000-000000000000',
      tenant_id: 'acme',
      actor: { subject: 'anna', address: null },
      action: 'access.denied',
      target: { type: 'session', id: 's-1' },
      outcome: 'denied',
      request_id: 'r-1',
      occurred_at: '2026-01-31T09:30:00.000Z',
      details: { rule: 'scope', tries: 1, known: true, reason: null },
    },
    faults: [
      { audit_id: '7' },
      { action: 'denied' },
      { outcome: 'maybe' },
      { details: { nested: {} } },
      { actor: { subject: 'anna' } },
    ],
  },
};

describe.each(topics.map((topic) => [topic.name, topic] as const))('%s', (_name, topic) => {
  it('has its schema committed (else: npm run generate)', () => {
    expect(committed(`${topic.version}.json`)).toEqual(topicSchema(topic));
  });

  it('breaks no consumer or producer that is one version behind', () => {
    const released = committed(`released/${topic.version}.json`);

    expect(findBreakingChanges(released, topicSchema(topic))).toEqual([]);
  });

  it('means the same as JSON Schema and in our code', () => {
    const validate = new Ajv2020({ validateFormats: false, allowUnionTypes: true }).compile(
      topicSchema(topic),
    );
    const sample = samples[topic.name];
    if (sample === undefined) throw new Error(`There is no sample of ${topic.name}.`);
    const good: Record<string, unknown> = { schema: topic.version, ...sample.good };
    const bad = sample.faults.map((fault): unknown => ({ ...good, ...fault }));
    const ahead = { ...good, of_a_later_version: true };

    for (const value of [good, ahead, ...bad]) {
      const asJson: unknown = JSON.parse(JSON.stringify(value));
      expect([validate(asJson), topic.schema.safeParse(asJson).success]).toEqual(
        Array.from({ length: 2 }, () => !bad.includes(value)),
      );
    }
  });
});
