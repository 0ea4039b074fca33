import { describe, expect, it } from '@jest/globals';
import { RunningChecks } from './running-checks.ts';

describe('RunningChecks', () => {
  it('makes one check for all who want it at once, and another one afterwards', async () => {
    const checks = new RunningChecks(2);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    let made = 0;
    const check = async (): Promise<void> => {
      made++;
      await promise;
    };
    const all = Promise.allSettled(['a', 'a', 'b', 'a'].map((key) => checks.run(key, check)));

    expect([made, checks.free]).toEqual([2, 0]);
    resolve(undefined);
    expect((await all).map(({ status }) => status)).toEqual(Array(4).fill('fulfilled'));
    await checks.run('a', check);
    expect([made, checks.free]).toEqual([3, 2]);
  });

  it('refuses more than there are places for, until one has ended, however', async () => {
    const checks = new RunningChecks(1);
    const { promise, reject } = Promise.withResolvers<undefined>();
    const first = checks.run('a', () => promise);
    const busy = { status: 503, code: 'health_checks_busy' };

    await expect(checks.run('b', () => promise)).rejects.toMatchObject(busy);
    reject(new Error('It broke.'));
    await expect(first).rejects.toThrow('It broke.');
    await checks.run('b', () => Promise.resolve());
  });
});
