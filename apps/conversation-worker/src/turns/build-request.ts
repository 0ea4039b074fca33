import { Inject, Injectable } from '@nestjs/common';
import type { RowEvent } from '@soma/contracts';
import {
  fitHistory,
  historyTokens,
  type Model,
  type ModelMessage,
  type ModelParameters,
  type ModelRequest,
  ModelRouter,
} from '@soma/llm';
import type { ClaimedTurn } from '@soma/sessions';
import { OfferedTools } from '../tools/offered-tools.ts';
import { toModelSteps } from '../tools/tool-steps.ts';
import { TURN_LIMITS, type TurnLimits } from './turn-limits.ts';

const DEFAULT_INSTRUCTIONS = 'You are a helpful assistant. Answer clearly and to the point.';

/** Which model a turn's persona wants, and how it is to sample. */
export function parametersOf({ persona }: ClaimedTurn): ModelParameters & { model?: string } {
  return persona === null
    ? {}
    : {
        ...(persona.model !== null && { model: persona.model }),
        temperature: persona.temperature ?? undefined,
        topP: persona.top_p ?? undefined,
        topK: persona.top_k ?? undefined,
        maxTokens: persona.max_tokens ?? undefined,
      };
}

/** Turns a claimed turn into what a model is asked. */
@Injectable()
export class BuildRequest {
  constructor(
    @Inject(TURN_LIMITS) private readonly limits: TurnLimits,
    private readonly router: ModelRouter,
    private readonly offered: OfferedTools,
  ) {}

  /** What is too old for the model's window is summarised in front of the rest. */
  async execute(turn: ClaimedTurn, model: Model, signal: AbortSignal): Promise<ModelRequest> {
    const { tenantId } = turn;
    const parameters = parametersOf(turn);
    const own = turn.persona?.instructions ?? '';
    const instructions = own === '' ? DEFAULT_INSTRUCTIONS : own;
    const steps = toModelSteps(turn.steps);
    const { maxTokens: answerTokens } = parameters;
    const window = historyTokens(model, { system: instructions, maxTokens: answerTokens, steps });
    const maxTokens = Math.min(this.limits.HISTORY_MAX_TOKENS, window);
    const { kept, dropped } = fitHistory(messagesOf(turn), { maxTokens });
    const system =
      dropped.length === 0
        ? instructions
        : `${instructions}\n\nEarlier in this conversation:\n${await this.router.summarise(dropped, { signal, tenantId })}`;
    return {
      ...parameters,
      tenantId,
      system,
      messages: kept,
      steps,
      tools: this.offered.of(turn),
      task: turn.request.action,
      outputSchema: turn.request.output_schema,
      signal,
    };
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
