import { beforeEach, describe, expect, it } from '@jest/globals';
import { DecisionCache } from './decision-cache.ts';

describe('DecisionCache', () => {
  let now: number;
  let asked: number;
  let cache: DecisionCache<number>;

  beforeEach(() => {
    now = 5_000;
    asked = 0;
    cache = new DecisionCache(() => now);
  });

  const ask = (): Promise<number> => Promise.resolve(++asked);

  it('asks once for what is asked again within a second of the question', async () => {
    await cache.get('a', ask);
    now = 5_999;
    expect(await cache.get('a', ask)).toBe(1);

    now = 6_000;
    expect(await cache.get('a', ask)).toBe(2);
  });

  it('counts from the question and not from the answer', async () => {
    await cache.get('a', () => {
      const answer = ask();
      return answer;
    });
    const slow = Promise.withResolvers<number>();
    void cache.get('b', () => slow.promise);
    now = 6_000;
    slow.resolve(7);

    expect(await cache.get('b', ask)).toBe(2);
  });

  it('lets everybody wait for the one question', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => cache.get('a', ask)));

    expect(answers).toEqual([1, 1, 1]);
  });

  it('keeps questions apart', async () => {
    expect([await cache.get('a', ask), await cache.get('b', ask)]).toEqual([1, 2]);
  });

  it('keeps no failure', async () => {
    const failing = cache.get('a', () => Promise.reject(new Error('down')));
    await expect(failing).rejects.toThrow('down');

    expect(await cache.get('a', ask)).toBe(1);
  });

  it('forgets the oldest when there are too many', async () => {
    for (let question = 0; question <= 10_000; question += 1) {
      await cache.get(String(question), ask);
    }

    expect(await cache.get('10000', ask)).toBe(10_001);
    expect(await cache.get('0', ask)).toBe(10_002);
  });
});
