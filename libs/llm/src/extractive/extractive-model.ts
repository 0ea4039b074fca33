import { setImmediate } from 'node:timers/promises';
import type { JsonSchema, ModelEvent, ModelMessage, ModelRequest } from '../model-request.ts';
import { ModelText } from '../model-text.ts';
import { estimateUsage } from '../usage.ts';
import { answerLastMessage } from './answer.ts';
import { piecesOf } from './sentence.ts';
import { doTask } from './tasks.ts';

/**
 * The model that answers where no provider has a key: retrieval and extractive summary over the
 * conversation. It has no neural network, invents nothing and says what it is. The same
 * conversation always gets the same answer.
 */
export async function* answerExtractively(request: ModelRequest): AsyncGenerator<ModelEvent> {
  const { task, outputSchema, signal } = request;
  const messages = withSummary(request);
  const text =
    task === undefined ? answerLastMessage({ ...request, messages }) : doTask(task, messages);
  const answer = new ModelText().push(outputSchema ? fillSchema(outputSchema, text) : text);
  for (const piece of piecesOf(answer)) {
    // Other turns of this process go on between two words.
    await setImmediate();
    signal.throwIfAborted();
    yield { type: 'text', text: piece };
  }
  yield {
    type: 'finish',
    finish_reason: 'stop',
    usage: estimateUsage(request, answer),
    omitted_parameters: [],
  };
}

/** It quotes sentences, and those of a summary are as good as any. */
function withSummary({ earlier, messages }: ModelRequest): readonly ModelMessage[] {
  return earlier === undefined ? messages : [{ role: 'user', content: earlier }, ...messages];
}

/**
 * A text is all that this model has, so it fills a schema that asks for a text: a string, or an
 * object whose only required property is one. Anything else would be made up; the answer then stays
 * text, and fails the validation that follows.
 */
function fillSchema(schema: JsonSchema, text: string): string {
  if (schema['type'] === 'string') {
    return JSON.stringify(text);
  }
  const required = Array.isArray(schema['required']) ? (schema['required'] as unknown[]) : [];
  const properties = (schema['properties'] ?? {}) as Record<string, { type?: unknown } | undefined>;
  const [name] = required;
  return required.length === 1 && typeof name === 'string' && properties[name]?.type === 'string'
    ? JSON.stringify({ [name]: text })
    : text;
}
