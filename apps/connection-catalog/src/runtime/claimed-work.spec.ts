import { afterEach, describe, expect, it } from '@jest/globals';
import { ClaimedWork } from './claimed-work.ts';

describe('ClaimedWork', () => {
  const running: ClaimedWork<string>[] = [];
  let release = (): void => undefined;

  afterEach(async () => {
    release();
    await Promise.all(running.splice(0).map((work) => work.stop()));
  });

  /** Works on what waits; `slow` takes until it is released. It does not look again by itself. */
  function start(waiting: string[]): {
    done: Set<string>;
    most: () => number;
    ended: Promise<void>;
  } {
    const done = new Set<string>();
    const slow = Promise.withResolvers<undefined>();
    const ended = Promise.withResolvers<undefined>();
    release = () => {
      slow.resolve(undefined);
    };
    const quick = waiting.filter((item) => item !== 'slow').length;
    let most = 0;
    const work = new ClaimedWork<string>({
      ...{ items: 'items', places: 2, everyMs: 60_000 },
      claim: (room) => Promise.resolve(waiting.splice(0, room)),
      run: async (item) => {
        most = Math.max(most, work.running + 1);
        await (item === 'slow' ? slow.promise : Promise.resolve());
        if (item === 'broken') throw new Error(item);
        done.add(item);
        if (done.size === quick) ended.resolve(undefined);
      },
    });
    running.push(work);
    work.start();
    return { done, most: () => most, ended: ended.promise };
  }

  it('goes on with the others while one is slow, as soon as a place is free', async () => {
    const { done, most, ended } = start(['slow', 'a', 'b', 'c', 'd', 'e']);

    await ended;

    expect([...done]).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(most()).toBe(2);
  });

  it('goes on when one fails', async () => {
    const { done } = start(['broken', 'a', 'broken', 'b']);

    while (done.size < 2) await new Promise(setImmediate);

    expect([...done]).toEqual(['a', 'b']);
  });

  it('waits at its end for what is under way, and takes nothing more', async () => {
    const waiting = ['slow', 'a'];
    const { done, ended } = start(waiting);
    await ended;
    waiting.push('late');
    const stopped = running.splice(0).map((work) => work.stop());
    release();
    await Promise.all(stopped);

    expect([...done]).toEqual(['a', 'slow']);
    expect(waiting).toEqual(['late']);
  });
});
