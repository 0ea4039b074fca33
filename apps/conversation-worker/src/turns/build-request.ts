import { Inject, Injectable } from '@nestjs/common';
import type { QuickAction, RowEvent } from '@soma/contracts';
import type { ModelMessage, ModelRequest } from '@soma/llm';
import type { ClaimedTurn } from '@soma/sessions';
import { TURN_LIMITS, type TurnLimits } from './turn-limits.ts';

/** What each quick action asks of a model. */
const ACTIONS: Record<QuickAction, string> = {
  summarize:
    'Summarise the conversation so far: what was asked, what was answered, what was decided.',
  next_steps:
    'List the next steps that follow from the conversation so far, each with who has to take it.',
  status_report:
    'Write a short status report of the conversation so far: what is done, what is open, what is at risk.',
};

const DEFAULT_INSTRUCTIONS = 'You are a helpful assistant. Answer clearly and to the point.';

/** Turns a claimed turn into what a model is asked. */
@Injectable()
export class BuildRequest {
  constructor(@Inject(TURN_LIMITS) private readonly limits: TurnLimits) {}

  async execute(turn: ClaimedTurn, signal: AbortSignal): Promise<ModelRequest> {
    const { persona, request } = turn;
    return {
      system: persona?.instructions || DEFAULT_INSTRUCTIONS,
      messages: [...turn.history.map(toMessage), { role: 'user', content: questionOf(request) }],
      model: persona?.model ?? undefined,
      temperature: persona?.temperature ?? undefined,
      topP: persona?.top_p ?? undefined,
      topK: persona?.top_k ?? undefined,
      maxTokens: persona?.max_tokens ?? undefined,
      task: request.action,
      outputSchema: request.output_schema,
      signal,
    };
  }
}

function toMessage(event: RowEvent): ModelMessage {
  return event.type === 'user.message'
    ? { role: 'user', content: questionOf(event) }
    : { role: 'assistant', content: event.message };
}

function questionOf({ action, message }: RowEvent): string {
  return action === undefined ? message : ACTIONS[action];
}
