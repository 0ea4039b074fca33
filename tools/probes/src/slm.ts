import { llmSettings } from '@soma/llm';
import { z } from 'zod';
import type { Probe } from './probe.ts';

const { SLM_API_KEY, SLM_BASE_URL, SLM_MODEL, SLM_UTILITY_MODEL, SLM_EMBEDDING_MODEL } =
  llmSettings;
const settings = z.object({
  SLM_API_KEY,
  SLM_BASE_URL,
  SLM_MODEL,
  SLM_UTILITY_MODEL,
  SLM_EMBEDDING_MODEL,
});
const modelList = z.object({ data: z.array(z.object({ id: z.string() })) });

/** Asks for the list of models, and whether those that are configured stand in it. */
export const slm: Probe<typeof settings> = {
  check: 'slm',
  settings,
  ask: async (config, signal) => {
    if (config.SLM_API_KEY === undefined) {
      throw new Error('SLM_API_KEY is not set.');
    }
    const listed = await listModels(config.SLM_BASE_URL, config.SLM_API_KEY.reveal(), signal);
    const wanted = [config.SLM_MODEL, config.SLM_UTILITY_MODEL, config.SLM_EMBEDDING_MODEL];
    const missing = wanted.filter((model) => !listed.includes(model));
    if (missing.length > 0) {
      throw new Error(`It does not list the configured models ${missing.join(', ')}.`);
    }
    return { models: wanted };
  },
};

async function listModels(baseUrl: string, key: string, signal: AbortSignal): Promise<string[]> {
  const headers = { authorization: `Bearer ${key}` };
  const response = await fetch(`${baseUrl.replace(/\/$/, '')}/models`, { headers, signal });
  if (!response.ok) {
    throw new Error(`It answered ${response.status}.`);
  }
  const list = modelList.safeParse(await response.json());
  if (!list.success) {
    throw new Error('Its answer is not a list of models.');
  }
  return list.data.data.map(({ id }) => id);
}
