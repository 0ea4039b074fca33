import { estimateTokenCount } from 'tokenx';
import type { Model } from './model-catalog.ts';
import type { ModelMessage, ModelRequest, ModelStep } from './model-request.ts';
import { messageTokens, stepTokens } from './usage.ts';

/** A conversation, cut in two. */
export interface FittedHistory {
  /** The newest messages, which fit. */
  kept: ModelMessage[];
  /** Those before them. */
  dropped: ModelMessage[];
}

/** Where nothing is known of a model, it is taken for a small one. */
const UNKNOWN_CONTEXT_WINDOW = 32_000;
const UNKNOWN_MAX_TOKENS = 4096;
/** Estimates err; the rest is for that, and for the summary of what is dropped. */
const SHARE_OF_WINDOW = 0.85;
const SUMMARY_TOKENS = 512;
const SUMMARY_INSTRUCTIONS =
  'Summarise the conversation that follows for someone who goes on with it: facts, names, numbers, decisions and open questions, in the language of the conversation. Write nothing else.';

/** How many tokens of conversation a model can take beside its instructions, steps and answer. */
export function historyTokens(
  model: Model,
  {
    system,
    maxTokens,
    steps,
  }: { system: string; maxTokens?: number | undefined; steps?: readonly ModelStep[] },
): number {
  const window = (model.context_window ?? UNKNOWN_CONTEXT_WINDOW) * SHARE_OF_WINDOW;
  const taken = estimateTokenCount(system) + stepTokens(steps) + (maxTokens ?? UNKNOWN_MAX_TOKENS);
  return Math.max(0, Math.floor(window - taken));
}

/**
 * Keeps the newest messages that fit into so many tokens. The last one is always kept, and what is
 * kept begins with the user, as providers want it.
 */
export function fitHistory(
  messages: readonly ModelMessage[],
  { maxTokens }: { maxTokens: number },
): FittedHistory {
  const last = messages.length - 1;
  let left = maxTokens;
  const tooOld = messages.findLastIndex(({ content }, at) => {
    left -= messageTokens(content);
    return left < 0 && at < last;
  });
  const begin = messages.findIndex(
    ({ role }, at) => at > tooOld && (role === 'user' || at === last),
  );
  const start = Math.max(0, begin);
  return { kept: messages.slice(start), dropped: messages.slice(0, start) };
}

/** What the small model is asked to summarise older messages: as much of their end as it takes. */
export function summaryRequest(
  model: Model,
  messages: readonly ModelMessage[],
  signal: AbortSignal,
): ModelRequest {
  const system = SUMMARY_INSTRUCTIONS;
  const maxTokens = SUMMARY_TOKENS;
  const fitted = fitHistory(messages, { maxTokens: historyTokens(model, { system, maxTokens }) });
  const content = fitted.kept.map((each) => `${each.role}: ${each.content}`).join('\n\n');
  return { system, messages: [{ role: 'user', content }], maxTokens, signal };
}
