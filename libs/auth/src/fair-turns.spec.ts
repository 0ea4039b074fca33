import { describe, expect, it } from '@jest/globals';
import { FairTurns } from './fair-turns.ts';

/** Work that goes on until it is told to end. */
function openWork(): {
  begun: string[];
  work: (name: string) => () => Promise<string>;
  end: () => void;
} {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  return {
    begun,
    work: (name) => () => {
      begun.push(name);
      return new Promise((resolve) => {
        ends.push(() => {
          resolve(name);
        });
      });
    },
    end: () => ends.shift()?.(),
  };
}

describe('FairTurns', () => {
  it('lets a flood from one address wait, and others go on at once', async () => {
    const turns = new FairTurns();
    const { begun, work, end } = openWork();
    const flood = Array.from({ length: 200 }, (_, index) => turns.run('bad', work(`bad-${index}`)));
    const good = turns.run('good', work('good'));

    expect(begun).toEqual(['bad-0', 'bad-1', 'bad-2', 'bad-3', 'good']);
    end();
    await flood[0];
    expect(begun.at(-1)).toBe('bad-4');
    while (begun.length < 201) {
      end();
      await Promise.resolve();
    }
    for (let left = 0; left < 5; left++) end();
    expect(await Promise.all([...flood, good])).toHaveLength(201);
  });

  it('refuses what exceeds the line of an address, and nothing of another', async () => {
    const turns = new FairTurns();
    const { begun, work } = openWork();
    for (let index = 0; index < 260; index++) void turns.run('bad', work('bad'));

    await expect(turns.run('bad', work('late'))).rejects.toMatchObject({ status: 429 });
    void turns.run('good', work('good'));
    expect(begun.at(-1)).toBe('good');
  });

  it('gives a place back when the work fails', async () => {
    const turns = new FairTurns();
    for (let index = 0; index < 20; index++) {
      await expect(turns.run('a', () => Promise.reject(new Error('bad')))).rejects.toThrow('bad');
    }

    expect(await turns.run('a', () => Promise.resolve('good'))).toBe('good');
  });
});
