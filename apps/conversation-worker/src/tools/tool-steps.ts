import { newIdentifier } from '@soma/kernel';
import type { ModelStep, ModelToolCall } from '@soma/llm';
import { type AwaitedCall, type ClaimedTurn, isAnswer, type TurnStep } from '@soma/sessions';
import type { OfferedTool } from './offered-tools.ts';

/** The calls that a model asks for, each with an id of its own; null when one is of no tool offered. */
export function toAwaitedCalls(
  calls: readonly ModelToolCall[],
  tools: readonly OfferedTool[],
): AwaitedCall[] | null {
  const awaited = calls.flatMap((call) => {
    const tool = tools.find(({ name }) => name === call.tool);
    return tool === undefined
      ? []
      : [{ call_id: newIdentifier(), ...call, timeoutMs: tool.timeoutMs }];
  });
  return awaited.length === calls.length ? awaited : null;
}

/** How often a turn has asked for tools. */
export function countToolSteps({ steps }: ClaimedTurn): number {
  return steps.filter((step) => isAnswer(step) && step.calls !== undefined).length;
}

/** What a turn's finished steps tell its model: results beside their calls, in the calls' order. */
export function toModelSteps(steps: readonly TurnStep[]): ModelStep[] {
  const results = steps.flatMap((step) => (isAnswer(step) ? [] : [step]));
  return steps.filter(isAnswer).flatMap(({ text, calls, issues }): ModelStep[] => {
    if (calls !== undefined) {
      const answered = calls.flatMap((call) =>
        results
          .filter(({ call_id }) => call_id === call.call_id)
          .map((result) => ({ ...call, ...result })),
      );
      return [{ text, calls: answered }];
    }
    return issues === undefined ? [] : [{ text, issues }];
  });
}
