import { durationMsSetting, listSetting, secretSetting, textSetting } from '@soma/kernel';
import { z } from 'zod';
import { KEYED_PROVIDERS } from './models.ts';

const key = (provider: string) =>
  secretSetting.optional().describe(`Enables the models of ${provider}.`);
const connection = (provider: string) =>
  textSetting
    .regex(/^[a-z0-9-]{1,128}$/, 'must be the name of a connection')
    .optional()
    .describe(
      `The connection by whose key a tenant uses ${provider}. One that has none of this name uses the key above, where it is set.`,
    );
const model = (name: string) =>
  textSetting
    .default(name)
    .describe('The default model. A retired one gives way to its successor.');
const baseUrl = (url: string) =>
  z.url('must be a URL').default(url).describe('Where its API is, for a proxy or a private copy.');

/** The settings of everything that calls models, to spread into an app's schema. */
export const llmSettings = {
  MODEL_PREFERENCE: listSetting([...KEYED_PROVIDERS])
    .pipe(z.array(z.enum(KEYED_PROVIDERS)).min(1))
    .describe('Providers in order of preference. Those without a key are passed over.'),
  MODEL_IDLE_LIMIT_MS: durationMsSetting(30_000).describe(
    'A model that is silent for so long is cut off, and the call made again.',
  ),
  ANTHROPIC_API_KEY: key('Anthropic'),
  ANTHROPIC_CONNECTION_NAME: connection('Anthropic'),
  ANTHROPIC_MODEL: model('claude-sonnet-4-20250514'),
  ANTHROPIC_BASE_URL: baseUrl('https://api.anthropic.com/v1'),
  OPENAI_API_KEY: key('OpenAI'),
  OPENAI_CONNECTION_NAME: connection('OpenAI'),
  OPENAI_MODEL: model('gpt-4o'),
  OPENAI_BASE_URL: baseUrl('https://api.openai.com/v1'),
  GEMINI_API_KEY: key('Google Gemini'),
  GEMINI_CONNECTION_NAME: connection('Google Gemini'),
  GEMINI_MODEL: model('gemini-2.0-flash'),
  GEMINI_BASE_URL: baseUrl('https://generativelanguage.googleapis.com/v1beta'),
  OPENROUTER_API_KEY: key('OpenRouter'),
  OPENROUTER_CONNECTION_NAME: connection('OpenRouter'),
  // It chooses among the models that it has, so this default does not retire.
  OPENROUTER_MODEL: model('openrouter/auto'),
  OPENROUTER_BASE_URL: baseUrl('https://openrouter.ai/api/v1'),
  SLM_API_KEY: key('the Soma SLM'),
  SLM_CONNECTION_NAME: connection('the Soma SLM'),
  SLM_MODEL: model('soma-slm-chat'),
  SLM_UTILITY_MODEL: textSetting
    .default('soma-slm-utility')
    .describe('The small model that summarises what no longer fits into a conversation.'),
  SLM_EMBEDDING_MODEL: textSetting
    .default('soma-slm-embedding')
    .describe('The model that turns text into vectors.'),
  SLM_BASE_URL: baseUrl('https://slm.somaagent01.dev/v1'),
};

/** {@link llmSettings}, read. */
export type LlmSettings = z.output<z.ZodObject<typeof llmSettings>>;
