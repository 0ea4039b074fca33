import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fitHistory, historyTokens } from './history.ts';
import { toModel } from './model-catalog.ts';
import type { ModelMessage } from './model-request.ts';
import { cardOf } from './models.ts';
import { messageTokens } from './usage.ts';

const anyMessages = fc.array(
  fc.record({
    role: fc.constantFrom('user' as const, 'assistant' as const),
    content: fc.lorem({ maxCount: 30 }),
  }),
);

describe('fitHistory', () => {
  it('drops a beginning and keeps an end, and nothing is lost', () => {
    fc.assert(
      fc.property(anyMessages, fc.nat(400), (messages, maxTokens) => {
        const { kept, dropped } = fitHistory(messages, { maxTokens });
        expect([...dropped, ...kept]).toEqual(messages);
      }),
    );
  });

  it('keeps what fits, and the last message in any case', () => {
    fc.assert(
      fc.property(anyMessages, fc.nat(400), (messages, maxTokens) => {
        const { kept } = fitHistory(messages, { maxTokens });
        const tokens = kept.reduce((sum, { content }) => sum + messageTokens(content), 0);
        const isForced = kept.filter(({ role }) => role === 'user').length < 2;
        expect(tokens <= maxTokens || isForced).toBe(true);
        expect(kept.at(-1)).toEqual(messages.at(-1));
      }),
    );
  });

  it('begins with the user', () => {
    const messages: ModelMessage[] = [
      { role: 'user', content: 'word '.repeat(500) },
      { role: 'assistant', content: 'an answer' },
      { role: 'user', content: 'a question' },
    ];

    expect(fitHistory(messages, { maxTokens: 100 }).kept).toEqual(messages.slice(2));
  });

  it('keeps an answer that is too long with its question', () => {
    const messages: ModelMessage[] = [
      { role: 'user', content: 'before' },
      { role: 'user', content: 'a question' },
      { role: 'assistant', content: 'word '.repeat(500) },
    ];

    expect(fitHistory(messages, { maxTokens: 100 }).kept).toEqual(messages.slice(1));
  });

  it('keeps everything that fits', () => {
    const messages: ModelMessage[] = [
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'two' },
      { role: 'user', content: 'three' },
    ];

    expect(fitHistory(messages, { maxTokens: 100 })).toEqual({ kept: messages, dropped: [] });
  });
});

describe('historyTokens', () => {
  it('leaves room for the instructions and the answer', () => {
    const model = toModel(cardOf('openai', 'gpt-4o'));

    expect(historyTokens(model, { system: '', maxTokens: 1000 })).toBe(128_000 * 0.85 - 1000);
  });

  it('takes a model of which nothing is known for a small one', () => {
    const model = toModel(cardOf('slm', 'soma-slm-chat'));

    expect(historyTokens(model, { system: '' })).toBeLessThan(32_000);
  });
});
