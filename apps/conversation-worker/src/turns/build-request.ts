import { Inject, Injectable } from '@nestjs/common';
import { historyTokens, type Model, type ModelParameters, type ModelRequest } from '@soma/llm';
import type { ClaimedTurn } from '@soma/sessions';
import { OfferedTools } from '../tools/offered-tools.ts';
import { toModelSteps } from '../tools/tool-steps.ts';
import { FitConversation } from './fit-conversation.ts';
import type { HeldAttempt } from './held-attempt.ts';
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
    private readonly fit: FitConversation,
    private readonly offered: OfferedTools,
  ) {}

  /** @param held - Its turn gets a new summary where the conversation no longer fits the window. */
  async execute(held: HeldAttempt, model: Model, signal: AbortSignal): Promise<ModelRequest> {
    const { turn } = held;
    const parameters = parametersOf(turn);
    const own = turn.persona?.instructions ?? '';
    const system = own === '' ? DEFAULT_INSTRUCTIONS : own;
    const steps = toModelSteps(turn.steps);
    const window = historyTokens(model, { system, maxTokens: parameters.maxTokens, steps });
    const maxTokens = Math.min(this.limits.HISTORY_MAX_TOKENS, window);
    const messages = await this.fit.execute(held, maxTokens, signal);
    return {
      ...parameters,
      tenantId: turn.tenantId,
      system,
      earlier: held.turn.summary?.text,
      messages,
      steps,
      tools: this.offered.of(turn),
      task: turn.request.action,
      outputSchema: turn.request.output_schema,
      signal,
    };
  }
}
