/** What the thrower of a {@link TransientError} knows. */
export interface TransientErrorOptions {
  /** How long to wait before trying again, where the other side said so. */
  retryAfterMs?: number;
  cause?: unknown;
}

/**
 * Something outside failed in a way that may pass: a server is down, busy or too slow.
 *
 * There are three kinds of errors. A `Problem` is the caller's to solve, a `TransientError` is
 * solved by trying again, and every other error is a defect of ours.
 */
export class TransientError extends Error {
  override readonly name = 'TransientError';
  readonly retryAfterMs: number | undefined;

  /** @param tried - What was tried, for the log, as in `POST /v1/tokens of identity`. */
  constructor(
    readonly tried: string,
    { retryAfterMs, cause }: TransientErrorOptions = {},
  ) {
    super(`${tried} failed and may work later.`, { cause });
    this.retryAfterMs = retryAfterMs;
  }
}
