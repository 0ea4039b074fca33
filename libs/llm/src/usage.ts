import { estimateTokenCount } from 'tokenx';
import type { ModelRequest, ModelStep, ModelUsage } from './model-request.ts';

/** How a message is told from the next costs a few tokens, whatever the provider. */
const TOKENS_PER_MESSAGE = 4;

/** About how many tokens a message takes; counting them would need each provider's tokeniser. */
export function messageTokens(content: string): number {
  return estimateTokenCount(content) + TOKENS_PER_MESSAGE;
}

/** About how many tokens the steps of an answer take. */
export function stepTokens(steps: readonly ModelStep[] = []): number {
  return steps.length === 0 ? 0 : estimateTokenCount(JSON.stringify(steps));
}

/** What a call cost where nobody counted. */
export function estimateUsage(request: ModelRequest, answer: string): ModelUsage {
  const instructions = `${request.system}${request.earlier ?? ''}`;
  const input = request.messages.reduce((sum, { content }) => sum + messageTokens(content), 0);
  return {
    input_tokens: input + estimateTokenCount(instructions) + stepTokens(request.steps),
    output_tokens: estimateTokenCount(answer),
    cached_input_tokens: 0,
    estimated: true,
  };
}
