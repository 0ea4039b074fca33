import { describe, expect, it } from '@jest/globals';
import { type QuotaGrant, SlidingWindows } from './sliding-window.ts';

const QUOTA = { limit: 5, windowMs: 12_000 };

describe('SlidingWindows', () => {
  function start(): {
    take: (key?: string, wanted?: number) => QuotaGrant;
    pass: (ms: number) => void;
  } {
    let now = 1_000_000;
    const windows = new SlidingWindows(() => now);
    return {
      take: (key = 'ann', wanted = 1) => windows.take(key, QUOTA, wanted),
      pass: (ms) => {
        now += ms;
      },
    };
  }

  it('grants as many as the quota has, to each key', () => {
    const { take } = start();

    expect([take('ann', 3), take('ann', 3), take('ann'), take('bob')]).toMatchObject([
      { granted: 3, remaining: 2 },
      { granted: 2, remaining: 0 },
      { granted: 0, remaining: 0 },
      { granted: 1, remaining: 4 },
    ]);
  });

  it('says when there is more, and then has it', () => {
    const { take, pass } = start();
    take('ann', 5);
    const { resetMs } = take();

    pass(resetMs - 1);
    expect(take().granted).toBe(0);
    pass(1);
    expect(take('ann', 9).granted).toBe(5);
  });

  it('never grants more than the limit within any window', () => {
    const { take, pass } = start();
    const times: number[] = [];
    for (let now = 0; now < 100_000; now += 137) {
      if (take().granted === 1) times.push(now);
      pass(137);
    }

    expect(times.length).toBeGreaterThan(30);
    times.forEach((time, index) => {
      const within = times.slice(index).filter((other) => other - time < QUOTA.windowMs);
      expect(within.length).toBeLessThanOrEqual(QUOTA.limit);
    });
  });

  it('only looks where nothing is wanted', () => {
    const { take } = start();

    expect(take('ann', 0)).toMatchObject({ granted: 0, remaining: 5 });
    expect(take('ann', 5).granted).toBe(5);
  });
});
