import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { Problem } from '@soma/kernel';
import { catchError, type Observable } from 'rxjs';
import { isDatabaseFault } from './database-fault.ts';
import { QueueFullError } from './group-commit.ts';

const RETRY_AFTER_SECONDS = 1;

/**
 * Throws what clients are told of a fault: that it is ours and passes. Any other error goes on as it
 * is.
 *
 * A commit whose outcome is unknown ends here too, so a client repeats with its idempotency key.
 */
export function rethrowFault(error: unknown): never {
  if (error instanceof QueueFullError) {
    throw new Problem({
      status: 503,
      code: 'overloaded',
      detail: 'Too many requests wait to be stored. Nothing was stored; try again.',
      retryAfterSeconds: RETRY_AFTER_SECONDS,
      cause: error,
    });
  }
  if (isDatabaseFault(error)) {
    throw new Problem({
      status: 503,
      code: 'database_unavailable',
      detail:
        'The request could not be stored or read. Try again; with the same Idempotency-Key it ' +
        'takes effect once.',
      retryAfterSeconds: RETRY_AFTER_SECONDS,
      cause: error,
    });
  }
  throw error;
}

/** Answers faults of the database for the routes of a controller. */
@Injectable()
export class FaultInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(catchError(rethrowFault));
  }
}
