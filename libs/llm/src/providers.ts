import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogle } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { LanguageModel } from 'ai';
import type { ProviderAccess } from './key-source.ts';
import { KEYED_PROVIDERS, type KeyedProviderName } from './models.ts';
import type { LlmSettings } from './settings.ts';

/**
 * The interface that every AI SDK provider implements. It is called directly and not through
 * `streamText`: one call without tools or retries needs nothing of what that adds, which doubles
 * the work per piece.
 */
export type ProviderModel = Extract<LanguageModel, { specificationVersion: 'v4' }>;

/** A provider that has a key, or that tenants may have keys of. */
export interface Provider {
  /** By the operator's own key; undefined where there is none. */
  access: ProviderAccess | undefined;
  /** The name of the connection by which a tenant has its own. */
  connectionName: string | undefined;
  defaultModel: string;
  /** The longest answer where the caller does not say. */
  defaultMaxTokens: number;
  model: (name: string, access: ProviderAccess) => ProviderModel;
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
  fetch?: typeof fetch;
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

/** The providers that there is a key of, in the order of preference. */
export function openProviders(settings: LlmSettings): Map<KeyedProviderName, Provider> {
  const listed = settings.MODEL_PREFERENCE;
  const others = KEYED_PROVIDERS.filter((name) => !listed.includes(name));
  const providers = new Map<KeyedProviderName, Provider>();
  for (const name of [...listed, ...others]) {
    const prefix = PREFIXES[name];
    const key = settings[`${prefix}_API_KEY`];
    const connectionName = settings[`${prefix}_CONNECTION_NAME`];
    if (key ?? connectionName) {
      providers.set(name, {
        access: key && { key, baseUrl: settings[`${prefix}_BASE_URL`] },
        connectionName,
        defaultModel: settings[`${prefix}_MODEL`],
        defaultMaxTokens: name === 'anthropic' ? ANTHROPIC_DEFAULT_MAX_TOKENS : DEFAULT_MAX_TOKENS,
        model: openerOf(name),
      });
    }
  }
  return providers;
}

/** Opens a provider once for each access: the operator's, and each lease of a tenant's connection. */
function openerOf(name: KeyedProviderName): Provider['model'] {
  const opened = new WeakMap<ProviderAccess, (model: string) => ProviderModel>();
  return (model, access) => {
    const open = opened.get(access) ?? OPENERS[name](toAccess(access));
    opened.set(access, open);
    return open(model);
  };
}

function toAccess({ key, baseUrl, ...rest }: ProviderAccess): Access {
  return { apiKey: key.reveal(), baseURL: baseUrl, ...rest };
}

/** How a provider's settings begin. */
export const PREFIXES = {
  anthropic: 'ANTHROPIC',
  openai: 'OPENAI',
  gemini: 'GEMINI',
  openrouter: 'OPENROUTER',
  slm: 'SLM',
} as const satisfies Record<KeyedProviderName, string>;
