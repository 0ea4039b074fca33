import { z } from 'zod';
import type { Topic } from './topic.ts';

/** A JSON Schema (2020-12) as data. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * What a value on the topic looks like, as JSON Schema, for those who read it without our code.
 *
 * It is the schema of a reader: fields that it does not name are allowed, so that a producer may be
 * a version ahead.
 */
export function topicSchema(topic: Topic<z.ZodType>): JsonSchema {
  const schema = z.toJSONSchema(topic.schema, { io: 'input' });
  return { $id: `urn:soma:topic:${topic.version}`, title: topic.name, ...schema };
}
