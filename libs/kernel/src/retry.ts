import { sleep } from './abort.ts';
import { TransientError } from './transient-error.ts';

/** How often, and how patiently, something is tried again. */
export interface RetryOptions {
  /** How often it is tried at most, the first time included. */
  attempts: number;
  /** The wait before the second try; each later one is up to twice as long. */
  firstDelayMs?: number;
  maxDelayMs?: number;
  signal?: AbortSignal;
}

/**
 * Tries something again while it fails with a {@link TransientError}.
 *
 * It is written here because cockatiel's retry waits out its delay even when the signal aborts, and
 * a service that stops must not. The waits are random, so that many callers do not return at once.
 *
 * @throws The last error; any other kind of error at once.
 */
export async function retryTransient<Result>(
  attempt: () => Promise<Result>,
  { attempts, firstDelayMs = 100, maxDelayMs = 10_000, signal }: RetryOptions,
): Promise<Result> {
  for (let tried = 1; ; tried++) {
    const outcome = await attempt().then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    );
    if ('result' in outcome) {
      return outcome.result;
    }
    if (!(outcome.error instanceof TransientError) || tried >= attempts) {
      throw outcome.error;
    }
    const backoffMs = Math.min(maxDelayMs, firstDelayMs * 2 ** (tried - 1));
    await sleep(outcome.error.retryAfterMs ?? backoffMs * (0.5 + Math.random() / 2), signal);
  }
}
