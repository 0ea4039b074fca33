import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  isRotationDue,
  type KeyLifetimes,
  publishedKeys,
  type ScheduledKey,
  signingKey,
} from './key-schedule.ts';

const CACHE_MS = 300_000;
const TOKEN_MS = 910_000;
const lifetimes: KeyLifetimes = {
  publishLeadMs: 360_000,
  tokenLifeMs: TOKEN_MS,
  rotateEveryMs: 5_000_000,
};

/** A deployment's life: what its pods do at the times at which they look. */
function live(looksMs: readonly number[], requestsMs: readonly number[]): ScheduledKey[] {
  const keys: ScheduledKey[] = [];
  for (const nowMs of [...looksMs].sort((one, other) => one - other)) {
    const requestedAtMs = requestsMs.filter((at) => at <= nowMs).at(-1);
    if (isRotationDue(keys, { nowMs, requestedAtMs }, lifetimes)) {
      const signsFromMs = keys.length === 0 ? nowMs : nowMs + lifetimes.publishLeadMs;
      keys.push({ kid: `key-${keys.length}`, createdAtMs: nowMs, signsFromMs });
    }
  }
  return keys;
}

const moment = fc.integer({ min: 1, max: 20_000_000 });
const moments = fc
  .array(moment, { minLength: 1, maxLength: 60 })
  .map((times) => times.sort((one, other) => one - other));
const lives = fc.tuple(moments, moments, moment, fc.nat(TOKEN_MS - 1));

describe('the schedule of keys', () => {
  it('lets a key sign once it has been published for the life of a copy of the keys', () => {
    fc.assert(
      fc.property(lives, ([looks, requests, nowMs]) => {
        const keys = live(looks, requests);
        const key = signingKey(keys, nowMs);
        const isFirst = key === keys[0];
        expect(key === undefined || isFirst || nowMs - key.createdAtMs >= CACHE_MS).toBe(true);
      }),
    );
  });

  it('publishes the key of every token that has not expired', () => {
    fc.assert(
      fc.property(lives, ([looks, requests, signedAtMs, ageMs]) => {
        const keys = live(looks, requests);
        const key = signingKey(keys, signedAtMs);
        fc.pre(key !== undefined);
        // What the pod that is asked may have made since counts too.
        expect(publishedKeys(keys, signedAtMs + ageMs, lifetimes)).toContain(key);
      }),
    );
  });

  it('publishes few keys, and always the one that signs', () => {
    fc.assert(
      fc.property(lives, ([looks, requests, nowMs]) => {
        const keys = live(looks, requests).filter(({ createdAtMs }) => createdAtMs <= nowMs);
        const published = publishedKeys(keys, nowMs, lifetimes);
        const most = 2 + Math.ceil(TOKEN_MS / lifetimes.publishLeadMs);
        expect(published.length).toBeLessThanOrEqual(most);
        expect(keys.length === 0 || published.includes(signingKey(keys, nowMs) ?? never())).toBe(
          true,
        );
      }),
    );
  });

  it('makes a key when there is none, when a quarter is over and when somebody asks', () => {
    const key = { kid: 'a', createdAtMs: 0, signsFromMs: 0 };
    const due = (nowMs: number, requestedAtMs?: number) =>
      isRotationDue([key], { nowMs, requestedAtMs }, lifetimes);

    expect(isRotationDue([], { nowMs: 0 }, lifetimes)).toBe(true);
    expect([due(1), due(4_999_999), due(5_000_000)]).toEqual([false, false, true]);
    expect([due(10, 9), due(10, 0)]).toEqual([true, false]);
  });

  it('makes a key at once when the one that signed is gone', () => {
    const waiting = { kid: 'b', createdAtMs: 100, signsFromMs: 360_100 };

    expect(isRotationDue([waiting], { nowMs: 200 }, lifetimes)).toBe(true);
  });

  it('makes no further key while one is waiting to sign', () => {
    const keys = [
      { kid: 'a', createdAtMs: 0, signsFromMs: 0 },
      { kid: 'b', createdAtMs: 100, signsFromMs: 360_100 },
    ];

    expect(isRotationDue(keys, { nowMs: 360_099, requestedAtMs: 200 }, lifetimes)).toBe(false);
    // The wish was not fulfilled by a key of before it.
    expect(isRotationDue(keys, { nowMs: 360_100, requestedAtMs: 200 }, lifetimes)).toBe(true);
    expect(isRotationDue(keys, { nowMs: 360_100, requestedAtMs: 99 }, lifetimes)).toBe(false);
  });
});

function never(): never {
  throw new Error('No key signs.');
}
