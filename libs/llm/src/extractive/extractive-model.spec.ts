import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ModelFinish, ModelMessage, ModelRequest } from '../model-request.ts';
import { answerExtractively } from './extractive-model.ts';
import { isOwnAnswer } from './phrases.ts';

describe('The extractive model', () => {
  it('answers a question from what was said', async () => {
    const answer = await answerTo(
      [
        'user: Anna leads the Lisbon project. Its budget is 40,000 euros.',
        'assistant: Understood.',
      ],
      'How large is the budget of the project?',
    );

    expect(answer).toContain('40,000 euros');
    expect(answer).not.toContain('local/extractive');
  });

  it('answers from the instructions that it was given', async () => {
    const answer = await answerTo([], 'When do you open?', {
      system: 'You speak for a bakery. We open at seven on weekdays.',
    });

    expect(answer).toContain('We open at seven on weekdays.');
  });

  it('does not take instructions for facts', async () => {
    const answer = await answerTo([], 'Is there an answer?', {
      system: 'You are a helpful assistant. Answer clearly and to the point.',
    });

    expect(answer).toContain('I found nothing about that');
  });

  it.each([
    ['Mein Hund heißt Bello.', 'Wie heißt mein Hund?'],
    ['我的狗叫小黑。', '我的狗叫什么名字？'],
    ['Ma réunion est à quinze heures.', 'Quand est ma réunion ?'],
    ['Поезд отходит в девять.', 'Когда отходит поезд?'],
  ])('answers in any language: %s', async (fact, question) => {
    const answer = await answerTo([`user: ${fact}`], question);

    expect(answer).toContain(fact);
  });

  it.each(['What is the capital of France?', 'Write a haiku about autumn.'])(
    'P9: says what it is when it knows nothing: %s',
    async (question) => {
      const answer = await answerTo(['user: My dog is called Rex.'], question);

      expect(answer).toContain('local/extractive');
      expect(answer).toContain('no language model');
      expect(answer).not.toContain('Rex');
    },
  );

  it('does not quote its own answers', async () => {
    const noted = await answerTo([], 'My dog is called Rex.');
    const answer = await answerTo(
      ['user: My dog is called Rex.', `assistant: ${noted}`],
      "What is my dog's name?",
    );

    expect(answer.match(/Rex/g)).toHaveLength(1);
  });

  it('summarises a text that comes with the wish', async () => {
    const answer = await answerTo(
      ['user: My dog is called Rex.'],
      'Summarise this: The basin covers seven million square kilometres. Rainforest covers most of the basin. Nine nations share the basin.',
    );

    expect(answer).toContain('- The basin covers seven million square kilometres.');
    expect(answer).not.toContain('Rex');
  });

  it('recognises each of its own answers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.lorem({ mode: 'sentences' })),
        fc.string(),
        async (said, last) => {
          const content = await answerTo(
            said.map((each) => `user: ${each}`),
            last,
          );
          expect(isOwnAnswer({ role: 'assistant', content })).toBe(true);
        },
      ),
    );
  });

  it('streams words, and says what they cost by estimate', async () => {
    const { pieces, finish } = await run(requestOf(['user: One. Two.'], 'Summarise it all.'));

    expect(pieces.length).toBeGreaterThan(3);
    expect(finish).toMatchObject({ finish_reason: 'stop', usage: { estimated: true } });
  });

  it('stops when the signal fires', async () => {
    const stop = new AbortController();
    const events = answerExtractively({ ...requestOf([], 'Hello'), signal: stop.signal });
    await events.next();
    stop.abort();

    await expect(events.next()).rejects.toBe(stop.signal.reason);
  });
});

describe('A quick action of the extractive model', () => {
  const conversation = [
    'user: We need to ship the invoice export by Friday. Anna finished the database migration.',
    'assistant: The export needs the migration, which Anna finished.',
    'user: The payment provider is blocked because the contract is not signed. Who will call legal?',
  ];

  it('summarizes with sentences that were said, in their order', async () => {
    const answer = await act('summarize');
    const lines = answer.split('\n').slice(1);

    expect(lines.length).toBeGreaterThan(1);
    expect(lines.every((line) => conversation.join(' ').includes(line.slice(2)))).toBe(true);
  });

  it('finds the next steps and the open question', async () => {
    const answer = await act('next_steps');

    expect(answer).toContain('- We need to ship the invoice export by Friday.');
    expect(answer).toContain('- Who will call legal?');
    expect(answer).not.toContain('Anna');
  });

  it('sorts a status report by done, to do and in the way', async () => {
    const answer = await act('status_report');

    expect(answer).toMatch(/Done:\n- Anna finished the database migration\./);
    expect(answer).toMatch(/To do:\n- We need to ship/);
    expect(answer).toMatch(/In the way:\n- The payment provider is blocked/);
  });

  it.each(['summarize', 'next_steps', 'status_report'] as const)(
    'says of an empty conversation that it is empty: %s',
    async (task) => {
      const { pieces } = await run({ ...requestOf([], ''), messages: [], task });

      expect(pieces.join('')).toBe('Nothing has been said in this conversation yet.');
    },
  );

  async function act(task: 'summarize' | 'next_steps' | 'status_report'): Promise<string> {
    const messages = conversation.map(toMessage);
    return (await run({ ...requestOf([], ''), messages, task })).pieces.join('');
  }
});

describe('An output schema and the extractive model', () => {
  it('fills the one text that a schema asks for', async () => {
    const outputSchema = {
      type: 'object',
      properties: { summary: { type: 'string' }, mood: { type: 'string' } },
      required: ['summary'],
    };
    const answer = await answerTo(['user: The launch is on Friday.'], 'Summarise it.', {
      outputSchema,
    });

    expect(JSON.parse(answer)).toEqual({ summary: expect.stringContaining('on Friday') });
  });

  it('P9: makes nothing up where a schema asks for more', async () => {
    const outputSchema = {
      type: 'object',
      properties: { city: { type: 'string' }, age: { type: 'integer' } },
      required: ['city', 'age'],
    };
    const answer = await answerTo([], 'Who are you?', { outputSchema });

    expect(() => JSON.parse(answer) as unknown).toThrow(SyntaxError);
  });
});

function toMessage(line: string): ModelMessage {
  const [role, ...content] = line.split(': ');
  return { role: role === 'user' ? 'user' : 'assistant', content: content.join(': ') };
}

function requestOf(earlier: readonly string[], last: string): ModelRequest {
  const messages = [...earlier.map(toMessage), { role: 'user' as const, content: last }];
  return { system: '', messages, signal: new AbortController().signal };
}

async function answerTo(
  earlier: readonly string[],
  last: string,
  more: Partial<ModelRequest> = {},
): Promise<string> {
  return (await run({ ...requestOf(earlier, last), ...more })).pieces.join('');
}

async function run(request: ModelRequest) {
  const pieces: string[] = [];
  let finish: ModelFinish | undefined;
  for await (const event of answerExtractively(request)) {
    if (event.type === 'finish') {
      finish = event;
    } else if ('text' in event) {
      pieces.push(event.text);
    }
  }
  return { pieces, finish };
}
