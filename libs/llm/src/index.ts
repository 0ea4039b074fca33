export { type FittedHistory, fitHistory, historyTokens } from './history.ts';
export type { KeySource, ProviderAccess } from './key-source.ts';
export { listModels, type Model, type ModelListing, namedModel } from './model-catalog.ts';
export { ModelFailure, type ModelFailureCode } from './model-failure.ts';
export type {
  JsonSchema,
  ModelEvent,
  ModelFinish,
  ModelMessage,
  ModelParameters,
  ModelRequest,
  ModelStep,
  ModelTask,
  ModelTool,
  ModelToolCall,
  ModelUsage,
  ParameterName,
} from './model-request.ts';
export { ModelRouter, type ModelRouterOptions } from './model-router.ts';
export { compileOutputSchema, type OutputResult, type OutputValidator } from './output-schema.ts';
export { checkParameters } from './parameters.ts';
export { llmSettings, type LlmSettings } from './settings.ts';
