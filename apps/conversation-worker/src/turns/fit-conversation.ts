/*
 * What a model is told of the turns before: the newest word for word, and a summary of the rest.
 *
 * The summary is the session's: it is kept, and covers all turns up to one; a claim brings it along
 * with what was said since. When that has grown too much, the older part of it goes into the
 * summary, so much that half the window is free: a turn that overflows makes one summary, and the
 * turns after it make none.
 */
import { Injectable } from '@nestjs/common';
import type { RowEvent } from '@soma/contracts';
import { fitHistory, type ModelMessage, ModelRouter } from '@soma/llm';
import { addUsage, type ClaimedTurn, TurnHistory, WriteTurn } from '@soma/sessions';
import type { HeldAttempt } from './held-attempt.ts';

/** How many turns are read at once, where more than a claim brings have to be summarised. */
const TURNS_AT_ONCE = 200;

/** Fits conversations into windows. */
@Injectable()
export class FitConversation {
  constructor(
    private readonly router: ModelRouter,
    private readonly turns: WriteTurn,
    private readonly earlier: TurnHistory,
  ) {}

  /**
   * @param held - Its turn gets the new summary where one is made.
   * @returns The messages since the summary.
   */
  async execute(
    held: HeldAttempt,
    maxTokens: number,
    signal: AbortSignal,
  ): Promise<ModelMessage[]> {
    const { history, hasOlder } = held.turn;
    const messages = messagesOf(held.turn);
    if (!hasOlder && fitHistory(messages, { maxTokens }).dropped.length === 0) {
      return messages;
    }
    const since = hasOlder ? messages.slice(-Math.ceil(messages.length / 2)) : messages;
    const { kept } = fitHistory(since, { maxTokens: Math.floor(maxTokens / 2) });
    const told = messages.length - kept.length;
    if (hasOlder) await this.summariseOlder(held, signal);
    await this.summarise(held, history.slice(0, told), signal);
    held.turn = { ...held.turn, history: history.slice(told), hasOlder: false };
    return kept;
  }

  /** What the claim has not brought along: a session can have been long before it had a summary. */
  private async summariseOlder(held: HeldAttempt, signal: AbortSignal): Promise<void> {
    const before = held.turn.history[0]?.seq ?? 0;
    for (;;) {
      const stretch = { after: held.turn.summary?.throughSeq ?? 0, before };
      const rows = await this.earlier.oldest(held.turn, stretch, TURNS_AT_ONCE);
      if (rows.length === 0) return;
      await this.summarise(held, rows, signal);
    }
  }

  private async summarise(
    held: HeldAttempt,
    rows: readonly RowEvent[],
    signal: AbortSignal,
  ): Promise<void> {
    const throughSeq = rows.findLast(({ type }) => type === 'user.message')?.seq;
    if (throughSeq === undefined) {
      return;
    }
    const { tenantId, summary: earlier } = held.turn;
    const { text, model, usages } = await this.router.summarise(rows.map(toMessage), {
      ...{ tenantId, signal, earlier: earlier?.text },
    });
    const [usage, ...more] = usages;
    const call = usage && {
      ...{ outcome: 'finished' as const, model, summarisedTo: throughSeq },
      usage: more.reduce(addUsage, usage),
    };
    held.turn = await this.turns.saveSummary(
      held.turn,
      { throughSeq, text, ...(call && { call }) },
      signal,
    );
  }
}

function messagesOf({ history, request }: ClaimedTurn): ModelMessage[] {
  const earlier = history.map(toMessage);
  // An action's words are the model library's: it says them to each model in its own way.
  return request.action === undefined ? [...earlier, toMessage(request)] : earlier;
}

function toMessage({ type, message, attachments = [] }: RowEvent): ModelMessage {
  return {
    role: type === 'user.message' ? 'user' : 'assistant',
    content: [message, ...attachments.map((url) => `[attached: ${url}]`)].join('\n'),
  };
}
