import type { Logger } from '@soma/observability';
import { type logCreator, logLevel } from 'kafkajs';

/** What a cluster says while it starts or moves members about. It passes by itself. */
const PASSING =
  /coordinator is loading|group is rebalancing|group is about to rebalance|not aware of this member/i;

/**
 * Puts what kafkajs says into our log.
 *
 * kafkajs reports every attempt that fails, and then throws when the last one has. The thrown error
 * is ours to report, so an attempt is worth a warning at most.
 */
export function kafkaLog(logger: Logger): logCreator {
  return () =>
    ({ level, namespace, log: { message, error } }) => {
      const text = typeof error === 'string' ? `${message}: ${error}` : message;
      const severity = level === logLevel.ERROR && !PASSING.test(text) ? 'warn' : 'debug';
      logger[severity]({ integration: 'kafka', component: namespace }, text);
    };
}

/**
 * Keeps kafkajs's one harmless warning off standard error: it asks for a timer in the past, which
 * Node warns of once and then fires at once, as meant.
 */
export function silenceTimerWarning(): void {
  const emitWarning = process.emitWarning.bind(process) as (...details: unknown[]) => void;
  process.emitWarning = (...details: unknown[]) => {
    const isTimer = details[1] === 'TimeoutNegativeWarning';
    if (!isTimer || !new Error().stack?.includes('kafkajs')) emitWarning(...details);
  };
}
