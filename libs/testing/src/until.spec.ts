import { describe, expect, it } from '@jest/globals';
import { until } from './until.ts';

describe('until', () => {
  it('gives what is found, however it is looked for', async () => {
    let looks = 0;
    expect(await until(() => ++looks === 2)).toBe(true);
    expect(await until(() => Promise.resolve(++looks > 3 ? 0 : undefined))).toBe(0);
  });

  it('fails at its limit, and names what it looked for', async () => {
    const found: string[] = [];
    const looking = until(() => found.at(-1), 1);
    await expect(looking).rejects.toThrow('found.at(-1)');
  });

  it('looks no further when looking fails', async () => {
    const failure = new Error('It is not there to be looked at.');
    await expect(until(() => Promise.reject(failure))).rejects.toBe(failure);
  });
});
