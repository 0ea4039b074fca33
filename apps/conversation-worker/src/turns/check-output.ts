import type { FieldProblem } from '@soma/kernel';
import { compileOutputSchema } from '@soma/llm';
import { type ClaimedTurn, isAnswer } from '@soma/sessions';

/** What was made of a finished answer. */
export type OutputCheck =
  /** Nothing was asked of its form. */
  | { kind: 'free' }
  | { kind: 'valid'; value: unknown }
  /** Worth one more try. */
  | { kind: 'repair'; issues: FieldProblem[] }
  | { kind: 'invalid'; issues: FieldProblem[] };

/** Holds an answer against the schema that its message asked for. There is one repair at most. */
export function checkOutput({ request, steps }: ClaimedTurn, answer: string): OutputCheck {
  if (request.output_schema === undefined) {
    return { kind: 'free' };
  }
  const result = compileOutputSchema(request.output_schema)(answer);
  if (result.ok) {
    return { kind: 'valid', value: result.value };
  }
  const isRepaired = steps.some((step) => isAnswer(step) && step.issues !== undefined);
  return { kind: isRepaired ? 'invalid' : 'repair', issues: result.issues };
}
