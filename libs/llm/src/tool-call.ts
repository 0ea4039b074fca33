import type { ToolCall } from '@soma/contracts';
import { ModelFailure } from './model-failure.ts';
import type { ModelToolCall } from './model-request.ts';
import { parseModelJson } from './model-text.ts';
import type { KeyedProviderName } from './models.ts';

/** A provider's word for a wish that a tool be called. */
interface ProviderToolCall {
  toolName: string;
  /** JSON text. */
  input: string;
  providerMetadata?: Record<string, unknown>;
}

/** @throws {@link ModelFailure} for arguments that are not an object. */
export function toToolCall(
  { toolName, input, providerMetadata }: ProviderToolCall,
  provider: KeyedProviderName,
): ModelToolCall {
  const given = parseArguments(input);
  if (given === undefined) {
    throw new ModelFailure({ provider, code: 'answer_malformed' });
  }
  return {
    tool: toolName,
    arguments: given,
    // It came as JSON, and goes back as it came.
    ...(providerMetadata && { provider_options: providerMetadata as ToolCall['arguments'] }),
  };
}

/** A tool without arguments is often called with nothing at all. */
function parseArguments(input: string): ToolCall['arguments'] | undefined {
  try {
    const value = parseModelJson(input.trim() === '' ? '{}' : input);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    // What a JSON parser has made is JSON.
    return isObject ? (value as ToolCall['arguments']) : undefined;
  } catch {
    return undefined;
  }
}
