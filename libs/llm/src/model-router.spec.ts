import { describe, expect, it } from '@jest/globals';
import { loadConfig, Problem } from '@soma/kernel';
import { inspect } from 'node:util';
import { z } from 'zod';
import type { ModelMessage } from './model-request.ts';
import { ModelRouter } from './model-router.ts';
import { openProviders } from './providers.ts';
import { llmSettings } from './settings.ts';

const NOW = new Date('2026-11-21T00:00:00Z');

function router(
  environment: Record<string, string>,
  warn?: (message: string) => void,
): ModelRouter {
  const settings = loadConfig(z.object(llmSettings), environment);
  return new ModelRouter(settings, { now: () => NOW, ...(warn && { warn }) });
}

const ids = (models: { id: string }[]) => models.map(({ id }) => id);

describe('The router', () => {
  it('offers the default of every provider that has a key, in the usual order', () => {
    const some = router({ SLM_API_KEY: 'k', OPENAI_API_KEY: 'k', ANTHROPIC_API_KEY: 'k' });

    expect(ids(some.candidates({}))).toEqual([
      'anthropic/claude-sonnet-4-6',
      'openai/gpt-4o',
      'slm/soma-slm-chat',
    ]);
  });

  it('keeps to the order that is configured, and puts the others behind', () => {
    const some = router({
      MODEL_PREFERENCE: 'slm,openai',
      SLM_API_KEY: 'k',
      OPENAI_API_KEY: 'k',
      ANTHROPIC_API_KEY: 'k',
    });

    expect(ids(some.candidates({}))).toEqual([
      'slm/soma-slm-chat',
      'openai/gpt-4o',
      'anthropic/claude-sonnet-4-6',
    ]);
  });

  it('offers the extractive model where no provider has a key', () => {
    expect(ids(router({}).candidates({}))).toEqual(['local/extractive']);
  });

  it('warns once of a default that had to be replaced', () => {
    const warnings: string[] = [];
    const some = router({ ANTHROPIC_API_KEY: 'k' }, (message) => warnings.push(message));
    some.candidates({});
    some.candidates({});

    expect(warnings).toEqual([
      'anthropic/claude-sonnet-4-20250514 was retired on 2026-06-15; anthropic/claude-sonnet-4-6 takes its place.',
    ]);
  });

  it('offers nothing but the model that is asked for by name', () => {
    const some = router({ OPENAI_API_KEY: 'k', ANTHROPIC_API_KEY: 'k' });

    expect(ids(some.candidates({ model: 'gpt-4o' }))).toEqual(['openai/gpt-4o']);
  });

  it.each([
    ['gpt-4o', { topK: 5 }, 'top_k'],
    ['gpt-6-luna', { temperature: 1 }, 'temperature'],
    ['gpt-4o', { maxTokens: 1_000_000 }, 'max_tokens'],
    ['claude-sonnet-4-6', { temperature: 1, topP: 0.5 }, 'top_p'],
    ['local/extractive', { temperature: 1 }, 'temperature'],
  ])('refuses for %s what it does not take: %j', (model, parameters, path) => {
    const some = router({ OPENAI_API_KEY: 'k', ANTHROPIC_API_KEY: 'k' });
    let problem: unknown;
    try {
      some.candidates({ model, ...parameters });
    } catch (error) {
      problem = error;
    }

    expect(problem).toBeInstanceOf(Problem);
    expect(problem).toMatchObject({ status: 422, code: 'model_parameter_not_supported' });
    expect((problem as Problem).fields?.map((field) => field.path)).toEqual([path]);
  });

  it.each([
    ['claude-sonnet-4-6', { temperature: 1, topK: 40, maxTokens: 6000 }],
    ['gemini-2.5-flash', { temperature: 1, topP: 0.9, topK: 40 }],
    ['gpt-4o', { temperature: 0, topP: 1 }],
  ])('takes for %s what it understands: %j', (model, parameters) => {
    const some = router({ OPENAI_API_KEY: 'k', ANTHROPIC_API_KEY: 'k', GEMINI_API_KEY: 'k' });

    expect(some.candidates({ model, ...parameters })).toHaveLength(1);
  });

  it('P8: does not show its keys', () => {
    const settings = loadConfig(z.object(llmSettings), { OPENAI_API_KEY: 'sk-canary' });
    const shown = inspect([settings, openProviders(settings)], { depth: 9, showHidden: true });

    expect(shown).not.toContain('canary');
  });

  it('summarises without a small model by picking sentences', async () => {
    const messages: ModelMessage[] = [
      { role: 'user', content: 'The budget of the Lisbon project is 40,000 euros.' },
      { role: 'assistant', content: 'The Lisbon project starts in March.' },
    ];
    const summary = await router({}).summarise(messages, {
      signal: new AbortController().signal,
    });

    expect(summary.text).toContain('40,000 euros');
  });
});
