import { inspect } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import type { Logger } from './logger.ts';

type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** Lets Nest, and classes that use its `Logger`, write into the service's own log. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...details: unknown[]): void {
    this.write('info', message, details);
  }

  fatal(message: unknown, ...details: unknown[]): void {
    this.write('fatal', message, details);
  }

  error(message: unknown, ...details: unknown[]): void {
    this.write('error', message, details);
  }

  warn(message: unknown, ...details: unknown[]): void {
    this.write('warn', message, details);
  }

  debug(message: unknown, ...details: unknown[]): void {
    this.write('debug', message, details);
  }

  verbose(message: unknown, ...details: unknown[]): void {
    this.write('trace', message, details);
  }

  /** Nest puts the class that speaks last, and for errors a stack before it. */
  private write(level: Level, message: unknown, details: unknown[]): void {
    const component = details.at(-1);
    const stack = details.slice(0, -1).find((detail) => typeof detail === 'string');
    const fields = { component, ...(stack !== undefined && { stack }) };
    if (message instanceof Error) {
      this.logger[level]({ ...fields, error: message }, message.message);
    } else if (typeof message === 'object') {
      this.logger[level]({ ...fields, ...message });
    } else {
      this.logger[level](fields, typeof message === 'string' ? message : inspect(message));
    }
  }
}
