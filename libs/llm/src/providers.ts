import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogle } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { Secret } from '@soma/kernel';
import type { LanguageModel } from 'ai';
import { KEYED_PROVIDERS, type KeyedProviderName } from './models.ts';
import type { LlmSettings } from './settings.ts';

/**
 * The interface that every AI SDK provider implements. It is called directly and not through
 * `streamText`: one call without tools or retries needs nothing of what that adds, which doubles
 * the work per piece.
 */
export type ProviderModel = Extract<LanguageModel, { specificationVersion: 'v4' }>;

/** A provider that has a key. */
export interface Provider {
  key: Secret;
  defaultModel: string;
  /** The longest answer where the caller does not say. */
  defaultMaxTokens: number;
  model: (name: string) => ProviderModel;
}

/** How a person calls a provider. */
export const PROVIDER_LABELS: Record<KeyedProviderName, string> = {
  anthropic: 'Anthropic',
  openai: 'OpenAI',
  gemini: 'Google Gemini',
  openrouter: 'OpenRouter',
  slm: 'The Soma SLM',
};

const DEFAULT_MAX_TOKENS = 4096;
const ANTHROPIC_DEFAULT_MAX_TOKENS = 6000;

interface Access {
  apiKey: string;
  baseURL: string;
}

const OPENERS: Record<KeyedProviderName, (access: Access) => (name: string) => ProviderModel> = {
  anthropic: (access) => createAnthropic(access),
  openai: (access) => {
    const openai = createOpenAI(access);
    return (name) => openai.chat(name);
  },
  gemini: (access) => createGoogle(access),
  openrouter: (access) => compatible('openrouter', access),
  slm: (access) => compatible('slm', access),
};

function compatible(name: string, access: Access): (name: string) => ProviderModel {
  const provider = createOpenAICompatible({
    ...access,
    name,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
  return (model) => provider.chatModel(model);
}

/** The providers that have a key, in the order of preference. */
export function openProviders(settings: LlmSettings): Map<KeyedProviderName, Provider> {
  const listed = settings.MODEL_PREFERENCE;
  const others = KEYED_PROVIDERS.filter((name) => !listed.includes(name));
  const providers = new Map<KeyedProviderName, Provider>();
  for (const name of [...listed, ...others]) {
    const prefix = PREFIXES[name];
    const key = settings[`${prefix}_API_KEY`];
    if (key) {
      providers.set(name, {
        key,
        defaultModel: settings[`${prefix}_MODEL`],
        defaultMaxTokens: name === 'anthropic' ? ANTHROPIC_DEFAULT_MAX_TOKENS : DEFAULT_MAX_TOKENS,
        model: OPENERS[name]({ apiKey: key.reveal(), baseURL: settings[`${prefix}_BASE_URL`] }),
      });
    }
  }
  return providers;
}

/** How a provider's settings begin. */
export const PREFIXES = {
  anthropic: 'ANTHROPIC',
  openai: 'OPENAI',
  gemini: 'GEMINI',
  openrouter: 'OPENROUTER',
  slm: 'SLM',
} as const satisfies Record<KeyedProviderName, string>;
