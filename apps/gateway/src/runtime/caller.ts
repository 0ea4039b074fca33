import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type GuardedRequest, readIdempotencyKey } from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { bodyHash, type Idempotency } from '@soma/sessions';
import type { FastifyRequest } from 'fastify';

/** Who sends a write, and the key by which a repeat of it is recognised. */
export interface Caller {
  principal: Principal;
  /** A repeat with the same key and body is answered the first answer. */
  idempotencyKey: string | undefined;
  /** Whether what the request names was not there, so that it must become the principal's own. */
  beginsOwn: boolean;
}

/** Hands a controller method the {@link Caller}. */
export const CurrentCaller = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Caller => {
    const request = context.switchToHttp().getRequest<FastifyRequest & GuardedRequest>();
    if (request.principal === undefined) {
      throw new Error('The route has no principal: import AuthModule in the root module.');
    }
    return {
      principal: request.principal,
      idempotencyKey: readIdempotencyKey(request.headers['idempotency-key']),
      beginsOwn: request.beginsOwn ?? false,
    };
  },
);

/**
 * What makes a repeat of a write recognisable; undefined where the client sent no key.
 *
 * @param operation - Method and path. A WebSocket frame counts as the request that it stands for.
 */
export function idempotencyOf(
  operation: string,
  body: unknown,
  key: string | undefined,
): Idempotency | undefined {
  return key === undefined ? undefined : { key, operation, bodyHash: bodyHash(body) };
}
