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
