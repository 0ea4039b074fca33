import { describe, expect, it } from '@jest/globals';
import { GroupCommit, QueueFullError } from './group-commit.ts';

/** Commits of numbers, which wait until the test lets them go. */
function gated(options: { maxBatch?: number; maxParallel?: number; maxWaiting?: number } = {}) {
  const batches: { items: number[]; isRepeat: boolean }[] = [];
  const gate = Promise.withResolvers<undefined>();
  const commits = new GroupCommit<number, string>({
    maxBatch: 10,
    maxParallel: 1,
    maxWaiting: 100,
    ...options,
    commit: async (items, isRepeat) => {
      batches.push({ items, isRepeat });
      await gate.promise;
      if (items.includes(13)) throw new Error('13 cannot be stored.');
      return items.map((item) => (item === 7 ? new Error('7 is refused.') : `stored ${item}`));
    },
  });
  const open = (): void => {
    gate.resolve(undefined);
  };
  return { commits, batches, open };
}

describe('GroupCommit', () => {
  it('starts the first item at once and puts those that come meanwhile together', async () => {
    const { commits, batches, open } = gated();

    const results = [1, 2, 3].map((item) => commits.submit(item));
    expect(batches.map(({ items }) => items)).toEqual([[1]]);
    open();

    await expect(Promise.all(results)).resolves.toEqual(['stored 1', 'stored 2', 'stored 3']);
    expect(batches.map(({ items }) => items)).toEqual([[1], [2, 3]]);
  });

  it('refuses one item by its answer and leaves the others stored', async () => {
    const { commits, open } = gated();
    open();

    const results = await Promise.allSettled([6, 7, 8].map((item) => commits.submit(item)));

    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('runs the items of a failed batch one by one, as repeats, and refuses just the bad one', async () => {
    const { commits, batches, open } = gated();

    const submitted = [1, 12, 13, 14].map((item) => commits.submit(item));
    open();
    const results = await Promise.allSettled(submitted);

    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(batches.slice(2)).toEqual([
      { items: [12], isRepeat: true },
      { items: [13], isRepeat: true },
      { items: [14], isRepeat: true },
    ]);
  });

  it('tries a batch once more as a whole when the database was at fault', async () => {
    const tries: boolean[] = [];
    const commits = new GroupCommit<number, number>({
      maxBatch: 10,
      maxParallel: 1,
      maxWaiting: 10,
      commit: (items, isRepeat) => {
        tries.push(isRepeat);
        const lost = Object.assign(new Error('terminating connection'), { code: '57P01' });
        return isRepeat ? Promise.resolve(items) : Promise.reject(lost);
      },
    });

    await expect(commits.submit(1)).resolves.toBe(1);
    expect(tries).toEqual([false, true]);
  });

  it('holds to its bounds', async () => {
    const { commits, batches, open } = gated({ maxBatch: 2, maxWaiting: 4 });

    const taken = [1, 2, 3, 4, 5].map((item) => commits.submit(item));
    await expect(commits.submit(6)).rejects.toThrow(QueueFullError);
    expect(commits.waiting).toBe(4);
    open();

    await Promise.all(taken);
    expect(batches.map(({ items }) => items.length)).toEqual([1, 2, 2]);
  });
});
