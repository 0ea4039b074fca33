import {
  BrokenCircuitError,
  CircuitState,
  circuitBreaker,
  ConsecutiveBreaker,
  handleWhen,
  IterableBackoff,
} from 'cockatiel';
import { isAbortError } from './abort.ts';
import { TransientError } from './transient-error.ts';

/** So many failures in a row open a breaker. */
const FAILURES_TO_OPEN = 5;
/** How long a breaker stays open before one call is let through, and after each failed try. */
const OPEN_FOR_MS = [30_000, 60_000, 120_000, 240_000, 300_000];

/** Whether calls go through (`closed`), are refused (`open`), or one tries its luck. */
export type BreakerState = 'closed' | 'open' | 'half_open';

/** What a breaker is called and who hears of its state. */
export interface BreakerOptions {
  /** What it protects, as in `anthropic`. It is a metric label, so it comes from a small set. */
  name: string;
  /** Hears its state when it is made, at each call, and at each change. */
  onState?: (name: string, state: BreakerState) => void;
  /** Which errors are the other side's failures. By default all but an aborted wait. */
  isFailure?: (error: unknown) => boolean;
}

/** Keeps calls away from something that fails, so that it can recover and callers need not wait. */
export interface Breaker {
  readonly name: string;
  readonly state: BreakerState;
  /** @throws {@link TransientError} without calling when the breaker is open. */
  execute: <Result>(call: () => Promise<Result>) => Promise<Result>;
}

/** Makes a breaker that opens after 5 failures in a row and tries again after 30 s, then later. */
export function createBreaker(options: BreakerOptions): Breaker {
  const { name, onState, isFailure = (error) => !isAbortError(error) } = options;
  const policy = circuitBreaker(handleWhen(isFailure), {
    breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN),
    halfOpenAfter: new IterableBackoff(OPEN_FOR_MS),
  });
  const tell = (): void => onState?.(name, nameOf(policy.state));
  policy.onStateChange(tell);
  tell();
  return {
    name,
    get state() {
      return nameOf(policy.state);
    },
    execute: async (call) => {
      tell();
      try {
        return await policy.execute(call);
      } catch (error) {
        throw error instanceof BrokenCircuitError
          ? new TransientError(`A call to ${name}, which has failed repeatedly,`, { cause: error })
          : error;
      }
    },
  };
}

function nameOf(state: CircuitState): BreakerState {
  switch (state) {
    case CircuitState.Closed:
      return 'closed';
    case CircuitState.HalfOpen:
      return 'half_open';
    case CircuitState.Open:
    case CircuitState.Isolated:
      return 'open';
  }
}
