import { describe, expect, it } from '@jest/globals';
import { RunningChecks } from './running-checks.ts';

describe('RunningChecks', () => {
  it('makes one check for all who want it at once, and another one afterwards', async () => {
    const checks = new RunningChecks();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    let made = 0;
    const check = async (): Promise<void> => {
      made++;
      await promise;
    };
    const all = Promise.allSettled(['a', 'a', 'b', 'a'].map((key) => checks.run(key, check)));

    expect(made).toBe(2);
    resolve(undefined);
    expect((await all).map(({ status }) => status)).toEqual(Array(4).fill('fulfilled'));
    await checks.run('a', check);
    expect(made).toBe(3);
  });

  it('makes another one after one that could not begin, or broke', async () => {
    const checks = new RunningChecks();
    const refuse = (): Promise<void> => {
      throw new Error('There is no room.');
    };

    await expect(checks.run('a', refuse)).rejects.toThrow('There is no room.');
    await expect(checks.run('a', () => Promise.reject(new Error('It broke.')))).rejects.toThrow();
    await checks.run('a', () => Promise.resolve());
  });
});
