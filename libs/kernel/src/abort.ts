import { setTimeout as delay } from 'node:timers/promises';

/** Waits, and rejects with an `AbortError` as soon as the signal says so. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal && { signal });
}

/** A signal that aborts after a time limit, or earlier with the caller's own signal. */
export function abortAfter(ms: number, signal?: AbortSignal): AbortSignal {
  const limit = AbortSignal.timeout(ms);
  return signal === undefined ? limit : AbortSignal.any([signal, limit]);
}

/** Whether an error says that somebody gave up waiting, and not that something broke. */
export function isAbortError(error: unknown): boolean {
  return (error as { name?: unknown } | undefined)?.name === 'AbortError';
}

/**
 * Waits for some work no longer than a limit, and then tells it that nobody waits any more.
 *
 * What has come while this process was busy with something else has come in time.
 *
 * @param work - Is given a signal that aborts when it has taken too long.
 * @throws Error after the limit.
 */
export async function withinLimit<Value>(
  limitMs: number,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const controller = new AbortController();
  const giveUp = (): void => {
    const error = new Error(`There was no answer within ${limitMs} ms.`);
    late.reject(error);
    controller.abort(error);
  };
  // Answers that wait to be read are read before it runs.
  const timer = setTimeout(() => setImmediate(giveUp), limitMs);
  try {
    return await Promise.race([work(controller.signal), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
