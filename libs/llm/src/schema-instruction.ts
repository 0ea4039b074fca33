import type { JsonSchema } from './model-request.ts';

/** What a model is told about the form of its answer, also where its provider holds it to it. */
export function schemaInstruction(schema: JsonSchema): string {
  return `Answer with one JSON value and nothing else: no comment, no code fence. It must be valid by this JSON Schema:\n${JSON.stringify(schema)}`;
}
