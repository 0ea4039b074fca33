import type { JsonSchema, ModelMessage, ModelTask } from './model-request.ts';

/** What a model is told about the form of its answer, also where its provider holds it to it. */
export function schemaInstruction(schema: JsonSchema): string {
  return `Answer with one JSON value and nothing else: no comment, no code fence. It must be valid by this JSON Schema:\n${JSON.stringify(schema)}`;
}

const TASK_INSTRUCTIONS: Record<ModelTask, string> = {
  summarize:
    'Summarise our conversation so far: what it is about, what was found or decided, and what is open.',
  next_steps:
    'List the next steps that follow from our conversation so far, the most urgent first, each with who is to take it and by when, where that was said. Invent none.',
  status_report:
    'Write a status report from our conversation so far, under the headings Done, To do, In the way and Open questions. Leave out a heading with nothing under it, and invent nothing.',
};

/** A task, as the last message of the user. */
export function taskMessage(task: ModelTask): ModelMessage {
  return { role: 'user', content: TASK_INSTRUCTIONS[task] };
}
