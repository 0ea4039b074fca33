import { describe, expect, it } from '@jest/globals';
import { loadConfig, type Problem } from '@soma/kernel';
import { z } from 'zod';
import { listModels, namedModel } from './model-catalog.ts';
import { cardOf, currentModel, MODEL_CARDS } from './models.ts';
import { llmSettings, type LlmSettings } from './settings.ts';

const NOW = new Date('2026-11-21T00:00:00Z');

function settings(environment: Record<string, string> = {}): LlmSettings {
  return loadConfig(z.object(llmSettings), environment);
}

describe('The model cards', () => {
  it('name successors that are cards of the same provider', () => {
    const unknown = MODEL_CARDS.filter(
      ({ provider, successor }) =>
        successor !== null &&
        !MODEL_CARDS.some((card) => card.provider === provider && card.name === successor),
    );

    expect(unknown).toEqual([]);
  });

  it('say where each date and price is from', () => {
    expect(MODEL_CARDS.filter(({ source, checked_at }) => !source || !checked_at)).toEqual([]);
  });

  it.each([
    ['2026-05-31', 'gemini-2.0-flash'],
    ['2026-06-01', 'gemini-2.5-flash'],
    ['2026-12-01', 'gemini-3.5-flash-lite'],
  ])('on %s have %s stand for gemini-2.0-flash', (day, name) => {
    expect(currentModel(cardOf('gemini', 'gemini-2.0-flash'), new Date(day)).name).toBe(name);
  });
});

describe('A model that is asked for by name', () => {
  it.each([
    ['gpt-4o', 'openai/gpt-4o'],
    ['openai/gpt-4o', 'openai/gpt-4o'],
    ['openai/not-listed-yet', 'openai/not-listed-yet'],
    ['local/extractive', 'local/extractive'],
  ])('is found by %s', (name, id) => {
    expect(namedModel(settings({ OPENAI_API_KEY: 'k' }), name, NOW).id).toBe(id);
  });

  it('is found by the name that an operator configured', () => {
    const configured = settings({ SLM_API_KEY: 'k', SLM_MODEL: 'own-model' });

    expect(namedModel(configured, 'own-model', NOW).id).toBe('slm/own-model');
  });

  it.each([
    ['gpt-4o', {}],
    ['no-such-model', { OPENAI_API_KEY: 'k' }],
    ['nobody/model', { OPENAI_API_KEY: 'k' }],
    ['local/other', { OPENAI_API_KEY: 'k' }],
  ])('is refused where it cannot answer: %s', (name, environment) => {
    expect(problemOf(() => namedModel(settings(environment), name, NOW))).toMatchObject({
      status: 422,
      code: 'model_not_available',
    });
  });

  it('is refused when it is retired, and its successor named, never taken', () => {
    const configured = settings({ ANTHROPIC_API_KEY: 'k' });
    const problem = problemOf(() => namedModel(configured, 'claude-sonnet-4-20250514', NOW));

    expect(problem).toMatchObject({ status: 422, code: 'model_retired' });
    expect(problem?.message).toContain('anthropic/claude-sonnet-4-6');
  });
});

describe('The list of models', () => {
  it('marks the default of each provider that has a key', () => {
    const models = listModels(settings({ GEMINI_API_KEY: 'k', SLM_API_KEY: 'k' }), NOW);

    expect(models.filter((model) => model.default).map(({ id }) => id)).toEqual([
      'gemini/gemini-2.5-flash',
      'slm/soma-slm-chat',
    ]);
    expect(models.filter(({ available }) => available).map(({ id }) => id)).toEqual([
      'gemini/gemini-2.5-flash',
      'gemini/gemini-3.5-flash-lite',
      'slm/soma-slm-chat',
      'local/extractive',
    ]);
  });

  it('has the extractive model answer where no provider has a key', () => {
    const models = listModels(settings(), NOW);

    expect(models.filter((model) => model.default).map(({ id }) => id)).toEqual([
      'local/extractive',
    ]);
  });
});

function problemOf(run: () => unknown): Problem | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error as Problem;
  }
}
