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

/** What a summary is made with. */
export interface SummaryContext extends Pick<ModelRequest, 'signal' | 'tenantId'> {
  /** The summary of what came before; the new one has it in it. */
  earlier?: string | undefined;
}

/** Where nothing is known of a model, it is taken for a small one. */
const UNKNOWN_CONTEXT_WINDOW = 32_000;
const UNKNOWN_MAX_TOKENS = 4096;
/** Estimates err; the rest is for that, and for the summary of what is dropped. */
const SHARE_OF_WINDOW = 0.85;
const SUMMARY_TOKENS = 512;
const SUMMARY_INSTRUCTIONS =
  'Summarise the conversation that follows for someone who goes on with it: facts, names, numbers, decisions and open questions, in the language of the conversation. Where it begins with a summary, keep what that says. Write nothing else.';

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
 * Keeps the newest messages that fit into so many tokens. The last one is always kept, an answer
 * with its question: what is kept begins with the user, as providers want it.
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
  const begin = messages.findIndex(({ role }, at) => at > tooOld && role === 'user');
  const start = begin < 0 ? lastQuestion(messages) : begin;
  return { kept: messages.slice(start), dropped: messages.slice(0, start) };
}

function lastQuestion(messages: readonly ModelMessage[]): number {
  return Math.max(
    0,
    messages.findLastIndex(({ role }) => role === 'user'),
  );
}

/** Messages in as few parts as the small model can take, each beside the summary of those before. */
export function summaryParts(model: Model, messages: readonly ModelMessage[]): ModelMessage[][] {
  const room = historyTokens(model, { system: SUMMARY_INSTRUCTIONS, maxTokens: SUMMARY_TOKENS });
  const parts: ModelMessage[][] = [];
  let left = 0;
  for (const message of messages) {
    const tokens = messageTokens(message.content);
    const part = parts.at(-1);
    if (part !== undefined && tokens <= left) {
      part.push(message);
      left -= tokens;
    } else {
      parts.push([message]);
      left = room - SUMMARY_TOKENS - tokens;
    }
  }
  return parts;
}

/** What the small model is asked to make one summary of. */
export function summaryRequest(
  messages: readonly ModelMessage[],
  { earlier, signal, tenantId }: SummaryContext,
): ModelRequest {
  const before = earlier === undefined ? [] : [`What was said before, as a summary:\n${earlier}`];
  const said = messages.map(({ role, content }) => `${role}: ${content}`);
  return {
    system: SUMMARY_INSTRUCTIONS,
    messages: [{ role: 'user', content: [...before, ...said].join('\n\n') }],
    maxTokens: SUMMARY_TOKENS,
    signal,
    tenantId,
  };
}
