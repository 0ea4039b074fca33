import { describe, expect, it } from '@jest/globals';
import { cardOf } from './models.ts';
import { parametersFor } from './parameters.ts';

describe('The parameters that a provider is sent', () => {
  it('are all, where the model takes them', () => {
    const parameters = { temperature: 0.5, topK: 40, maxTokens: 100 };

    expect(parametersFor(cardOf('gemini', 'gemini-2.5-flash'), parameters)).toEqual({
      parameters,
      omitted: [],
    });
  });

  it('lack what the model does not take, and that is told', () => {
    const card = cardOf('openai', 'gpt-6-luna');

    expect(parametersFor(card, { temperature: 0.5, topP: 0.9, topK: 40 })).toEqual({
      parameters: {},
      omitted: ['temperature', 'top_p', 'top_k'],
    });
  });

  it('are temperature alone, where Anthropic takes one of two', () => {
    const card = cardOf('anthropic', 'claude-sonnet-4-6');

    expect(parametersFor(card, { temperature: 0.5, topP: 0.9 })).toEqual({
      parameters: { temperature: 0.5 },
      omitted: ['top_p'],
    });
  });

  it('ask for no longer an answer than the model can give', () => {
    const card = cardOf('openai', 'gpt-4o');

    expect(parametersFor(card, { maxTokens: 1_000_000 })).toEqual({
      parameters: { maxTokens: 16_384 },
      omitted: ['max_tokens'],
    });
  });
});
