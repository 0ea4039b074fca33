import { describe, expect, it } from '@jest/globals';
import { figureOf, tableOf } from './figure.ts';
import { interleave, median, quantile, ROUNDS } from './rounds.ts';

describe('rounds', () => {
  it('measure the contenders in turn, and forget the first', async () => {
    const order: string[] = [];
    const contender = (name: string) => (): Promise<number> => Promise.resolve(order.push(name));
    const rounds = await interleave({ soma: contender('soma'), bare: contender('bare') });
    expect(order.slice(0, 4)).toEqual(['soma', 'bare', 'soma', 'bare']);
    expect(rounds).toHaveLength(ROUNDS);
    expect(rounds[0]).toEqual({ soma: 3, bare: 4 });
  });

  it('have a median and quantiles that were measured', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(quantile([4, 3, 2, 1], 0.99)).toBe(4);
    expect(() => median([])).toThrow('Nothing was measured.');
  });
});

describe('figures', () => {
  const rounds = [
    { soma: 100, bare: 100 },
    { soma: 300, bare: 100 },
    { soma: 200, bare: 400 },
  ];

  it('compare within a round, not the medians', () => {
    const figure = figureOf({ name: 'accept', unit: 'ms' }, rounds);
    expect(figure).toMatchObject({ soma: 200, bare: 100, ratio: 1 });
  });

  it('say whether the goal is met, on its own side', () => {
    const row = (goal?: { atLeast: number } | { atMost: number }): string | undefined =>
      tableOf([figureOf({ name: 'accept', unit: 'ms', ...(goal && { goal }) }, rounds)])
        .split('\n')
        .at(-1);
    expect(row({ atMost: 1.4 })).toBe('| accept | 200 ms | 100 ms | 1.00× | ≤ 1.4× | met |');
    expect(row({ atMost: 0.9 })).toMatch(/≤ 0\.9× \| missed \|$/);
    expect(row({ atLeast: 1.3 })).toMatch(/≥ 1\.3× \| missed \|$/);
    expect(row()).toMatch(/1\.00× \| {2}\| {2}\|$/);
  });
});
