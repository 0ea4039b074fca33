import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { PieceEvent } from '@soma/contracts';
import type { ClaimedTurn } from '@soma/sessions';
import { AnswerStream } from './answer-stream.ts';

const turn: ClaimedTurn = {
  tenantId: 'acme',
  sessionId: 's-1',
  turnId: 'e-1',
  personaId: null,
  subject: 'ada',
  seq: 1,
  attempt: 1,
  startedSeq: 2,
  keep: 0,
  deaths: 0,
  ageMs: 0,
  request: {
    schema: 'conversation.outbound.v1',
    tenant_id: 'acme',
    session_id: 's-1',
    event_id: 'e-1',
    turn_id: 'e-1',
    cursor: '1.0',
    seq: 1,
    type: 'user.message',
    persona_id: null,
    role: 'user',
    message: 'Tell me.',
    metadata: {},
    principal: { subject: 'ada' },
    occurred_at: '2026-01-31T09:30:00.000Z',
  },
  summary: null,
  history: [],
  hasOlder: false,
  usage: { input_tokens: 0, output_tokens: 0, cached_input_tokens: 0 },
  steps: [],
  persona: null,
  traceHeaders: {},
};

describe('AnswerStream', () => {
  let pieces: Pick<PieceEvent, 'type' | 'from' | 'to' | 'message'>[];
  let answer: AnswerStream;

  beforeEach(() => {
    jest.useFakeTimers();
    pieces = [];
    answer = open('');
  });

  afterEach(() => {
    answer.close();
    jest.useRealTimers();
  });

  function open(kept: string): AnswerStream {
    return new AnswerStream({ ...turn, keep: kept.length }, kept, ({ value }) => {
      const { type, from, to, message } = JSON.parse(value ?? '') as PieceEvent;
      pieces.push({ type, from, to, message });
    });
  }

  const say = (text: string): void => {
    answer.append(text, () => undefined);
  };
  const delta = (from: number, message: string) => ({
    type: 'assistant.delta',
    from,
    to: from + message.length,
    message,
  });

  it('shows the first piece at once, and those of the next moment together', () => {
    say('You ');
    expect(pieces).toEqual([delta(0, 'You ')]);

    say('asked ');
    say('me 🎈.');
    jest.advanceTimersByTime(60);

    expect(pieces).toEqual([delta(0, 'You '), delta(4, 'asked me 🎈.')]);
  });

  it('repeats the whole text every five seconds, also when nothing new came (rule 19)', () => {
    say('You asked');
    jest.advanceTimersByTime(10_100);

    expect(pieces).toEqual([delta(0, 'You asked'), delta(0, 'You asked'), delta(0, 'You asked')]);
  });

  it('goes on behind the text of earlier steps, and repeats that too', () => {
    answer.close();
    answer = open('Before. ');
    say('After.');
    jest.advanceTimersByTime(5_100);

    expect(pieces).toEqual([delta(8, 'After.'), delta(0, 'Before. After.')]);
  });

  it('shows thoughts without a place in the text', () => {
    answer.think('Hm.');
    say('Yes.');
    jest.advanceTimersByTime(60);

    expect(pieces).toEqual([
      { type: 'assistant.thinking', from: 0, to: 0, message: 'Hm.' },
      delta(0, 'Yes.'),
    ]);
  });

  it('says nothing more once it is closed', () => {
    say('You ');
    say('asked');
    answer.close();
    jest.advanceTimersByTime(20_000);

    expect(pieces).toEqual([delta(0, 'You ')]);
  });
});
