import { trace } from '@opentelemetry/api';
import { type DestinationStream, type Logger as PinoLogger, pino, stdSerializers } from 'pino';
import { currentLogContext } from './log-context.ts';
import type { ObservabilityConfig } from './settings.ts';

/** Writes structured lines: `logger.info({ session_id }, 'A sentence.')`. */
export type Logger = PinoLogger;

/** What a service's logger is made of. */
export interface LoggerOptions {
  /** The app's name, which every line carries as `logger`. */
  service: string;
  level?: ObservabilityConfig['LOG_LEVEL'];
  /** Where the lines go; standard output unless a test listens. */
  destination?: DestinationStream;
}

/** Names whose values are never written, at the top of a line's object or one level below. */
const NEVER_WRITTEN = [
  'authorization',
  'cookie',
  'password',
  'secret',
  'token',
  'api_key',
  'apiKey',
  'ticket',
];

/** Credentials within a URL, as drivers like to put them into their errors. */
const URL_CREDENTIALS = /(?<=:\/\/)[^\s/@"]+(?=@)/g;

const MASK = '[secret]';

/** Makes a logger of JSON lines that knows the current request, session, tenant and trace. */
export function createLogger({ service, level = 'info', destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { logger: service },
    messageKey: 'message',
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: currentFields,
    serializers: { error: stdSerializers.err, err: stdSerializers.err },
    // The whole line, because an error's message stands in several places of it.
    hooks: { streamWrite: (line: string) => line.replace(URL_CREDENTIALS, MASK) },
    redact: {
      paths: NEVER_WRITTEN.flatMap((name) => [name, `*.${name}`]),
      censor: MASK,
    },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

function currentFields(): object {
  const span = trace.getActiveSpan()?.spanContext();
  return { ...currentLogContext(), ...(span && { trace_id: span.traceId }) };
}
