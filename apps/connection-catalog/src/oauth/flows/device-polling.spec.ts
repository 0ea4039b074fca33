import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { afterPoll, type PollAnswer } from './device-polling.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const at = (seconds: number): Date => new Date(START + seconds * 1000);
const flow = { pollSeconds: 5, expiresAt: at(900) };
const refused = (error: string): PollAnswer => ({ kind: 'refused', error });

describe('afterPoll', () => {
  it.each([
    ['at the interval while nobody has agreed', refused('authorization_pending'), 5],
    ['five seconds slower when it is told so', refused('slow_down'), 10],
    ['half as often when nobody answers', { kind: 'unanswered' } as const, 10],
  ])('asks again %s', (_name, answer, pollSeconds) => {
    expect(afterPoll(flow, answer, at(0))).toEqual({ pollSeconds, dueAt: at(pollSeconds) });
  });

  it.each(['access_denied', 'expired_token', 'invalid_grant'])('asks no more after %s', (error) => {
    expect(afterPoll(flow, refused(error), at(0))).toEqual({ ended: error });
  });

  it('does not ask for a code that will have expired', () => {
    expect(afterPoll(flow, refused('authorization_pending'), at(895))).toEqual({
      ended: 'expired_token',
    });
  });

  it('is never faster than before, and always ends', () => {
    const answer = fc.constantFrom<PollAnswer>(
      refused('authorization_pending'),
      refused('slow_down'),
      { kind: 'unanswered' },
    );
    fc.assert(
      fc.property(fc.infiniteStream(answer), (answers) => {
        let pollSeconds = 5;
        let now = START;
        for (let asked = 0; ; asked++) {
          const next = afterPoll(
            { ...flow, pollSeconds },
            answers.next().value as PollAnswer,
            new Date(now),
          );
          if ('ended' in next) return;
          expect(next.pollSeconds).toBeGreaterThanOrEqual(pollSeconds);
          expect(next.dueAt.getTime()).toBe(now + next.pollSeconds * 1000);
          expect(asked).toBeLessThan(900 / 5);
          pollSeconds = next.pollSeconds;
          now = next.dueAt.getTime();
        }
      }),
    );
  });
});
