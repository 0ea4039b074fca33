import type { Persona } from '@soma/contracts';
import { checkParameters, type LlmSettings, namedModel } from '@soma/llm';

/** What of a persona decides how a model is called. */
export type PersonaModel = Pick<
  Persona,
  'model' | 'temperature' | 'top_p' | 'top_k' | 'max_tokens'
>;

/**
 * Refuses a model that cannot be asked for, and parameters that it does not take. Without a model
 * anything goes: the one that answers is sent what it takes.
 *
 * @throws {@link Problem} 422 `model_not_available`, `model_retired` or
 *   `model_parameter_not_supported`
 */
export function checkPersonaModel(settings: LlmSettings, persona: PersonaModel): void {
  if (persona.model === null) {
    return;
  }
  checkParameters(namedModel(settings, persona.model, new Date()), {
    temperature: persona.temperature ?? undefined,
    topP: persona.top_p ?? undefined,
    topK: persona.top_k ?? undefined,
    maxTokens: persona.max_tokens ?? undefined,
  });
}
