import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { type Observable, tap } from 'rxjs';

/** Tells the version of what is answered, as `If-Match` is to name it (RFC 9110 §8.8.3). */
@Injectable()
export class EntityTagInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    return next.handle().pipe(
      tap((answer: { version?: number } | undefined) => {
        if (answer?.version !== undefined) {
          void reply.header('etag', `"${answer.version}"`);
        }
      }),
    );
  }
}
