import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { GuardedRequest } from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { bodyHash, type Idempotency } from '@soma/sessions';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';

/** Printable ASCII. */
const idempotencyKey = z.string().regex(/^[\x20-\x7e]{1,255}$/);

/** The header, for the API document. */
export const idempotencyHeader = z.object({
  'Idempotency-Key': idempotencyKey.optional().meta({
    description:
      'A repeat with the same key and body, within 24 hours, answers the first answer and does ' +
      'nothing more.',
  }),
});

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

function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  const { success, data } = idempotencyKey.optional().safeParse(header);
  if (!success) {
    throw new Problem({
      status: 400,
      code: 'invalid_idempotency_key',
      detail: 'The header Idempotency-Key must be 1 to 255 printable characters.',
    });
  }
  return data;
}
