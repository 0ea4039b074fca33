import { type RetryOptions, retryTransient, TransientError } from '@soma/kernel';

/** How often, and how patiently, what is kept is asked for. */
export const READING = { attempts: 4, maxDelayMs: 1_000 };
/** For minutes: it is the only good token, and the one before it works no more. */
export const WRITING = { attempts: 300, maxDelayMs: 1_000 };

/** The secret backend failed: nobody knows less than before, and the provider is not to blame. */
export class KeepingFailure extends Error {
  override readonly name = 'KeepingFailure';
}

/** Whatever a backend fails with, it may work later. */
export async function keeping<Result>(
  patience: RetryOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  const patiently = (): Promise<Result> =>
    work().catch((cause: unknown) => {
      throw new TransientError('The secret backend', { cause });
    });
  return retryTransient(patiently, patience).catch((cause: unknown) => {
    throw new KeepingFailure('The secret backend did not keep a token.', { cause });
  });
}
