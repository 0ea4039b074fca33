import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { abortAfter, isAbortError, sleep } from './abort.ts';
import { type Breaker, createBreaker } from './breaker.ts';
import { retryTransient } from './retry.ts';
import { TransientError } from './transient-error.ts';

const busy = () => new TransientError('GET /models', { retryAfterMs: 1 });

describe('sleep and abortAfter', () => {
  it('stop waiting when the signal aborts', async () => {
    const error = await sleep(60_000, AbortSignal.abort()).catch((thrown: unknown) => thrown);

    expect(isAbortError(error)).toBe(true);
  });

  it('abort with whichever comes first', async () => {
    expect(abortAfter(60_000, AbortSignal.abort()).aborted).toBe(true);
    await expect(sleep(60_000, abortAfter(1))).rejects.toThrow();
  });
});

describe('retryTransient', () => {
  it('tries again after a transient error, as often as it may', async () => {
    const failing = jest.fn(() => Promise.reject(busy()));
    const recovering = jest.fn(() => Promise.resolve('done')).mockRejectedValueOnce(busy());

    await expect(retryTransient(failing, { attempts: 3 })).rejects.toThrow(TransientError);
    await expect(retryTransient(recovering, { attempts: 3 })).resolves.toBe('done');
    expect(failing).toHaveBeenCalledTimes(3);
    expect(recovering).toHaveBeenCalledTimes(2);
  });

  it('never repeats after any other error', async () => {
    const broken = jest.fn(() => Promise.reject(new TypeError('a defect')));

    await expect(retryTransient(broken, { attempts: 3 })).rejects.toThrow('a defect');
    expect(broken).toHaveBeenCalledTimes(1);
  });

  it('does not wait on when its caller gives up', async () => {
    const slow = () => Promise.reject(new TransientError('GET', { retryAfterMs: 60_000 }));

    await expect(
      retryTransient(slow, { attempts: 2, signal: AbortSignal.abort() }),
    ).rejects.toThrow(/abort/);
  });
});

describe('createBreaker', () => {
  const start = Date.now();

  /** A breaker, what it told of itself, and a call that fails. */
  function made(): { breaker: Breaker; states: string[]; fail: () => Promise<string> } {
    const states: string[] = [];
    const breaker = createBreaker({
      name: 'anthropic',
      onState: (name, state) => {
        const told = `${name}:${state}`;
        if (states.at(-1) !== told) states.push(told);
      },
    });
    const fail = () => breaker.execute(() => Promise.reject(new Error('down'))).catch(String);
    return { breaker, states, fail };
  }

  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('opens after 5 failures in a row and then calls nothing', async () => {
    const { breaker, fail } = made();
    const call = jest.fn(() => Promise.resolve('up'));
    for (let failures = 0; failures < 5; failures++) {
      expect(breaker.state).toBe('closed');
      await fail();
    }

    await expect(breaker.execute(call)).rejects.toThrow(TransientError);
    expect(breaker.state).toBe('open');
    expect(call).not.toHaveBeenCalled();
  });

  it('lets one call try after 30 s, waits longer after it failed, and closes on success', async () => {
    const { breaker, states, fail } = made();
    const clock = jest.spyOn(Date, 'now');
    clock.mockReturnValue(start);
    for (let failures = 0; failures < 5; failures++) await fail();
    clock.mockReturnValue(start + 40_000);
    expect(await fail()).toContain('down');
    clock.mockReturnValue(start + 80_000);
    expect(await fail()).toContain('failed repeatedly');
    clock.mockReturnValue(start + 110_000);

    expect(await breaker.execute(() => Promise.resolve('up'))).toBe('up');
    expect(breaker.state).toBe('closed');
    expect(states).toEqual(
      ['closed', 'open', 'half_open', 'open', 'half_open', 'closed'].map(
        (state) => `anthropic:${state}`,
      ),
    );
  });

  it('does not take a caller that gives up for a failure', async () => {
    const { breaker } = made();
    for (let calls = 0; calls < 6; calls++) {
      const given = breaker.execute(() => sleep(60_000, AbortSignal.abort()));
      await expect(given).rejects.toThrow(/abort/);
    }

    expect(breaker.state).toBe('closed');
  });
});
