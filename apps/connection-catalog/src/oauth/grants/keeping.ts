import { type RetryOptions, retryTransient, TransientError } from '@soma/kernel';

/** How often, and how patiently, what is kept is asked for. */
export const READING = { attempts: 4, maxDelayMs: 1_000 };
/** For minutes: it is the only good token, and the one before it works no more. */
export const WRITING = { attempts: 300, maxDelayMs: 1_000 };

/** Nothing kept it, or told of it: nobody knows less than before, and the provider is not to blame. */
export class KeepingFailure extends Error {
  override readonly name = 'KeepingFailure';
}

/** Reads or keeps a token. Whatever that fails with, it may work later. */
export async function keeping<Result>(
  patience: RetryOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  const patiently = (): Promise<Result> =>
    work().catch((cause: unknown) => {
      throw new TransientError('Keeping a token', { cause });
    });
  return retryTransient(patiently, patience).catch((cause: unknown) => {
    throw new KeepingFailure('A token was neither kept nor read.', { cause });
  });
}
