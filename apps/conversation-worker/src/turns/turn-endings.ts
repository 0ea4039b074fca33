import type { RowEvent } from '@soma/contracts';
import type { FieldProblem } from '@soma/kernel';
import type { Model, ModelFinish } from '@soma/llm';
import { addUsage, type ClaimedTurn, type ModelCallRecord, type TurnEnding } from '@soma/sessions';
import type { OutputCheck } from './check-output.ts';

type JsonValue = RowEvent['metadata'][string];

/** A turn's end without an answer. */
export function failed(
  code: string,
  message: string,
  metadata: TurnEnding['row']['metadata'] = {},
): TurnEnding {
  return {
    state: 'failed',
    row: { type: 'assistant.error', message, metadata: { ...metadata, code } },
  };
}

/** A turn that asked for tools again and again. */
export function endless(maxSteps: number, call: ModelCallRecord): TurnEnding {
  const message = `The answer asked for tools more than ${maxSteps} times and was given up. Ask for less at once.`;
  return { ...failed('too_many_tool_steps', message), call };
}

/** An answer that was not valid by its schema at the second try either. */
export function invalidOutput(issues: FieldProblem[], call: ModelCallRecord): TurnEnding {
  const ending = failed(
    'output_invalid',
    'The answer does not have the form that was asked for, also at the second try.',
    { issues: issues.map((issue) => ({ ...issue })) },
  );
  return { ...ending, call };
}

/** An answer, with what all calls of its turn have used and what was made of it. */
export function answered(
  { request: { action }, usage }: ClaimedTurn,
  { text, finish, model }: { text: string; finish: ModelFinish; model: Model },
  output: OutputCheck,
): TurnEnding {
  const metadata: RowEvent['metadata'] = {
    model: model.id,
    finish_reason: finish.finish_reason,
    usage: { ...addUsage(usage, finish.usage) },
    ...(finish.omitted_parameters.length > 0 && {
      omitted_parameters: [...finish.omitted_parameters],
    }),
    ...(action && { action }),
    // What a JSON parser has made is JSON.
    ...(output.kind === 'valid' && { output: output.value as JsonValue }),
  };
  return { state: 'done', row: { type: 'assistant.final', message: text, metadata } };
}
