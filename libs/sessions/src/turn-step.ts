import type { ToolCall, ToolOutcome } from '@soma/contracts';

/** A call of a tool, as the model that asked for it is told of it again. */
export interface StepCall extends Pick<ToolCall, 'call_id' | 'tool' | 'arguments'> {
  /** What the provider wants to see again beside the call; nobody else reads it. */
  provider_options?: ToolCall['arguments'];
}

/** A model's answer: one that asked for tools, or one that has to be made again. */
export interface AnswerStep {
  /** What the model said in this step, withdrawn or not. */
  text: string;
  /** How much of the turn's text it stands for, in UTF-16 units; 0 where it was withdrawn. */
  kept: number;
  /** Why it has to be made again: what was wrong with the answer. */
  issues?: { path: string; message: string }[];
  /** What it asked for. */
  calls?: StepCall[];
}

/** What became of a call. */
export type ResultStep = Pick<ToolOutcome, 'call_id' | 'status' | 'output'>;

/** What a finished step of a turn has left. Results come in any order, after the call's answer. */
export type TurnStep = AnswerStep | ResultStep;

/** Whether a step is what a model said. */
export function isAnswer(step: TurnStep): step is AnswerStep {
  return 'kept' in step;
}

/** How much of a turn's text its finished steps have left standing. */
export function keptLength(steps: readonly TurnStep[]): number {
  return steps.filter(isAnswer).reduce((sum, { kept }) => sum + kept, 0);
}
