export {
  listModels,
  LOCAL_MODEL,
  type Model,
  type ModelListing,
  namedModel,
} from './model-catalog.ts';
export { ModelFailure, type ModelFailureCode } from './model-failure.ts';
export type {
  JsonSchema,
  ModelEvent,
  ModelFinish,
  ModelMessage,
  ModelParameters,
  ModelRequest,
  ModelTask,
  ModelUsage,
  ParameterName,
} from './model-request.ts';
export { ModelRouter, type ModelRouterOptions } from './model-router.ts';
export { checkParameters } from './parameters.ts';
export { llmSettings, type LlmSettings } from './settings.ts';
