import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  afterExpiry,
  afterRenewal,
  granted,
  type GrantState,
  type Moment,
  pauseAfter,
  type Renewal,
  revoked,
} from './grant-lifecycle.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const at = (ms: number): Date => new Date(START + ms);

function momentAt(ms: number, random = 0): Moment {
  return { now: at(ms), thresholdSeconds: 300, random };
}

function anHour(change: Partial<GrantState> = {}): GrantState {
  const tokens = { expiresInSeconds: 3600, isRenewable: true };
  return { ...granted(0, tokens, momentAt(0)), ...change };
}

const renewal: fc.Arbitrary<Renewal> = fc.oneof(
  fc.record({
    kind: fc.constant('tokens' as const),
    expiresInSeconds: fc.option(fc.integer({ min: 1, max: 1e7 }), { nil: undefined }),
    isRenewable: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('refused' as const), error: fc.constant('invalid_grant') }),
  fc.record({ kind: fc.constant('misconfigured' as const), error: fc.constant('invalid_client') }),
  fc.record({
    kind: fc.constant('unanswered' as const),
    error: fc.constant('provider_unavailable'),
    retryAfterMs: fc.option(fc.integer({ min: 0, max: 1e9 }), { nil: undefined }),
  }),
);

/** What must hold of a grant at every moment. */
function expectSound(
  { status, dueAt, expiresAt, isRenewable, reason }: GrantState,
  now: Date,
): void {
  // Nothing that ended is tried again, and what is tried again waits first.
  if (status !== 'active' && !isRenewable) expect(dueAt).toBeNull();
  if (dueAt !== null) expect(dueAt.getTime()).toBeGreaterThan(now.getTime());
  // What is active has a token that holds, and what is not says why.
  if (status === 'active') expect(expiresAt?.getTime() ?? Infinity).toBeGreaterThan(now.getTime());
  expect(status === 'active' || reason !== null).toBe(true);
}

describe('a grant', () => {
  it('is renewed a threshold before it expires, a little earlier by chance', () => {
    expect(anHour()).toMatchObject({ expiresAt: at(3_600_000), dueAt: at(3_300_000) });
    const tokens = { expiresInSeconds: 3600, isRenewable: true };
    expect(granted(0, tokens, momentAt(0, 1)).dueAt).toEqual(at(3_270_000));
  });

  it('is renewed at half its life when that is shorter than the threshold', () => {
    const tokens = { expiresInSeconds: 60, isRenewable: true };

    expect(granted(0, tokens, momentAt(0)).dueAt).toEqual(at(30_000));
  });

  it('is never renewed when its token does not expire', () => {
    const tokens = { expiresInSeconds: undefined, isRenewable: true };

    expect(granted(0, tokens, momentAt(0))).toMatchObject({ expiresAt: null, dueAt: null });
  });

  it('needs a person at once when its refresh token is refused', () => {
    const refusal: Renewal = { kind: 'refused', error: 'invalid_grant' };

    expect(afterRenewal(anHour(), refusal, momentAt(0))).toMatchObject({
      ...{ status: 'reauthorization_required', reason: 'invalid_grant', dueAt: null },
    });
    expect(afterRenewal(anHour({ sentAt: at(0) }), refusal, momentAt(0))).toMatchObject({
      ...{ status: 'reauthorization_required', reason: 'refresh_answer_lost', dueAt: null },
    });
  });

  it('stays in doubt while nobody answers, and is tried again', () => {
    const silence: Renewal = { kind: 'unanswered', error: 'timeout', retryAfterMs: undefined };
    const later = afterRenewal(anHour({ sentAt: at(0) }), silence, momentAt(1000));

    expect(later).toMatchObject({ status: 'active', sentAt: at(0), failures: 1 });
    expect(later.dueAt).toEqual(at(3500));
  });

  it('says why it has expired, and is still tried while there is something to try', () => {
    const late = at(3_600_000);

    expect(afterExpiry(anHour({ reason: 'invalid_client' }), late)).toMatchObject({
      ...{ status: 'expired', reason: 'invalid_client', dueAt: at(3_300_000) },
    });
    expect(afterExpiry(anHour({ isRenewable: false }), late)).toMatchObject({
      ...{ status: 'expired', reason: 'no_refresh_token', dueAt: null },
    });
    expect(afterExpiry(anHour(), at(3_599_999))).toEqual(anHour());
  });

  it('comes back when its provider does', () => {
    const silence: Renewal = { kind: 'unanswered', error: 'timeout', retryAfterMs: undefined };
    const expired = afterRenewal(anHour(), silence, momentAt(4_000_000));
    const tokens: Renewal = { kind: 'tokens', expiresInSeconds: 3600, isRenewable: true };

    expect(expired.status).toBe('expired');
    expect(afterRenewal(expired, tokens, momentAt(5_000_000))).toMatchObject({
      ...{ status: 'active', reason: null, failures: 0, generation: 2 },
    });
  });

  it('keeps what must hold, whatever a provider answers', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            renewal,
            fc.integer({ min: 1, max: 1e7 }),
            fc.double({ min: 0, max: 1, noNaN: true }),
          ),
        ),
        (answers) => {
          let state = anHour();
          let now = 0;
          for (const [answer, passedMs, random] of answers) {
            if (state.dueAt === null) break;
            now += passedMs;
            const next = afterRenewal(state, answer, momentAt(now, random));
            expectSound(next, at(now));
            // A new generation is new tokens, and a refusal never makes one.
            expect(next.generation - state.generation).toBe(answer.kind === 'tokens' ? 1 : 0);
            if (answer.kind === 'refused') expect(next.status).toBe('reauthorization_required');
            state = next;
          }
        },
      ),
    );
  });

  it('is over when it is revoked: no answer that was asked for before counts', () => {
    const over = revoked(anHour({ sentAt: at(0) }), 'revoked_by_user');

    expect(over).toMatchObject({ status: 'revoked', generation: 2, dueAt: null, sentAt: null });
  });
});

describe('pauseAfter', () => {
  it('grows to a quarter of an hour, and as the provider asks to an hour', () => {
    const ms = [1, 2, 3, 20, 1000].map((failures) => pauseAfter(failures, 1));

    expect(ms).toEqual([5_000, 10_000, 20_000, 900_000, 900_000]);
    expect(pauseAfter(1, 0)).toBe(2_500);
    expect(pauseAfter(1, 0, 60_000)).toBe(60_000);
    expect(pauseAfter(1, 0, 1e12)).toBe(3_600_000);
  });
});
