import { type FieldProblem, Problem } from '@soma/kernel';
import type { ModelParameters, ParameterName } from './model-request.ts';
import type { ModelCard } from './models.ts';

/** What a provider is sent: our parameters, less those that the model does not take. */
export interface SentParameters {
  parameters: ModelParameters;
  omitted: readonly ParameterName[];
}

type SamplingName = 'temperature' | 'top_p' | 'top_k';

/** Our names on the wire and in code. */
const SAMPLING = [
  ['temperature', 'temperature'],
  ['top_p', 'topP'],
  ['top_k', 'topK'],
] as const satisfies readonly (readonly [SamplingName, keyof ModelParameters])[];

/**
 * Checks parameters against the model that was asked for by name.
 *
 * @throws A `Problem` 422 that names each parameter the model does not take.
 */
export function checkParameters(model: ModelCard, parameters: ModelParameters): void {
  const { provider, name, max_output_tokens } = model;
  const fields: FieldProblem[] = notTaken(model, parameters).map((path) => ({
    path,
    message:
      path === 'top_p' && model.supports.top_p
        ? 'cannot be combined with temperature for models of Anthropic'
        : `is not supported by ${provider}/${name}`,
  }));
  if (max_output_tokens !== null && (parameters.maxTokens ?? 0) > max_output_tokens) {
    fields.push({ path: 'max_tokens', message: `must be at most ${max_output_tokens}` });
  }
  if (fields.length > 0) {
    throw new Problem({
      status: 422,
      code: 'model_parameter_not_supported',
      detail: `The model ${provider}/${name} does not take these parameters.`,
      fields,
    });
  }
}

/** What is left of the parameters for a model that nobody asked for by name. */
export function parametersFor(model: ModelCard, parameters: ModelParameters): SentParameters {
  const omitted = notTaken(model, parameters);
  const { max_output_tokens } = model;
  const { maxTokens } = parameters;
  const tooMany =
    max_output_tokens !== null && maxTokens !== undefined && maxTokens > max_output_tokens;
  const sent = SAMPLING.filter(([name]) => !omitted.includes(name));
  return {
    parameters: {
      ...Object.fromEntries(sent.map(([, property]) => [property, parameters[property]])),
      maxTokens: tooMany ? max_output_tokens : maxTokens,
    },
    omitted: tooMany ? [...omitted, 'max_tokens'] : omitted,
  };
}

function notTaken(model: ModelCard, parameters: ModelParameters): SamplingName[] {
  const given = SAMPLING.filter(([, property]) => parameters[property] !== undefined);
  // Anthropic's API takes one of the two; the SDK would drop the other without a word.
  const both = parameters.temperature !== undefined && model.provider === 'anthropic';
  return given
    .filter(([name]) => !model.supports[name] || (name === 'top_p' && both))
    .map(([name]) => name);
}
