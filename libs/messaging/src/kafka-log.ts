import type { Logger } from '@soma/observability';
import type { logCreator } from 'kafkajs';

/**
 * Puts what kafkajs says into our log, for whoever looks for details.
 *
 * kafkajs reports every attempt that fails, several in a second while a broker is away. What comes
 * of it reaches us as an error or an event, and is reported once by whoever it concerns.
 */
export function kafkaLog(logger: Logger): logCreator {
  return () =>
    ({ namespace, log: { message, error } }) => {
      const text = typeof error === 'string' ? `${message}: ${error}` : message;
      logger.debug({ integration: 'kafka', component: namespace }, text);
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
