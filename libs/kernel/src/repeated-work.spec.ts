import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { RepeatedWork, type RepeatedWorkOptions } from './repeated-work.ts';

const HOUR_MS = 60 * 60 * 1000;

/** Resolves when it has been called so often. */
function countedTo(times: number, outcome: () => Promise<void> = () => Promise.resolve()) {
  const reached = Promise.withResolvers<number>();
  let calls = 0;
  const act = (): Promise<void> => {
    calls += 1;
    if (calls === times) reached.resolve(performance.now());
    return outcome();
  };
  return { act, reached: reached.promise, calls: () => calls };
}

describe('RepeatedWork', () => {
  const works: RepeatedWork[] = [];

  afterEach(() => Promise.all(works.splice(0).map((work) => work.stop())));

  function start(options: Partial<RepeatedWorkOptions>): RepeatedWork {
    const work = new RepeatedWork({
      everyMs: 1,
      act: () => Promise.resolve(),
      onFailure: () => undefined,
      ...options,
    });
    works.push(work);
    work.start();
    return work;
  }

  it('begins at once, goes on, and stops in the middle of a pause', async () => {
    const often = countedTo(5);
    start({ act: often.act });
    const seldom = countedTo(1);
    const work = start({ act: seldom.act, everyMs: HOUR_MS });

    await Promise.all([often.reached, seldom.reached]);
    await work.stop();
    work.wake();

    expect(seldom.calls()).toBe(1);
  });

  it('waits for what is under way when it stops, and does nothing twice at once', async () => {
    const held = Promise.withResolvers<undefined>();
    const once = countedTo(1, () => held.promise);
    const work = start({ act: once.act });
    await once.reached;
    let hasStopped = false;

    const stopping = work.stop().then(() => (hasStopped = true));
    await new Promise(setImmediate);
    expect(hasStopped).toBe(false);
    held.resolve(undefined);
    await stopping;

    expect(once.calls()).toBe(1);
  });

  it('tells of each failure and tries again, less and less often', async () => {
    const onFailure = jest.fn();
    const failing = countedTo(4, () => Promise.reject(new Error('down')));
    const begun = performance.now();
    start({ act: failing.act, onFailure, everyMs: 10, maxPauseMs: 40 });

    const reached = await failing.reached;

    expect(onFailure).toHaveBeenCalledTimes(3);
    // 20 + 40 + 40 instead of 10 + 10 + 10; a timer may be a millisecond early.
    expect(reached - begun).toBeGreaterThan(95);
  });

  it('is woken from a pause, also while it works', async () => {
    const twice = countedTo(2);
    const work = start({ act: twice.act, everyMs: HOUR_MS });
    await new Promise(setImmediate);
    work.wake();
    await twice.reached;

    const held = Promise.withResolvers<undefined>();
    const busy = countedTo(2, () => held.promise);
    const busyWork = start({ act: busy.act, everyMs: HOUR_MS });
    busyWork.wake();
    held.resolve(undefined);

    await busy.reached;
    expect(busy.calls()).toBe(2);
  });
});
