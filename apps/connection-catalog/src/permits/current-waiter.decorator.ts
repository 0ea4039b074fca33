import type { ServerResponse } from 'node:http';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { AuthenticatedRequest } from '@soma/auth';
import { Problem } from '@soma/kernel';
import type { FastifyReply } from 'fastify';

/** Who waits for an answer. */
export interface Waiter {
  tenant_id: string;
  /** Aborts when the caller leaves without it. */
  signal: AbortSignal;
}

/** Hands a controller method the {@link Waiter}. */
export const CurrentWaiter = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Waiter => {
    const http = context.switchToHttp();
    const { principal } = http.getRequest<AuthenticatedRequest>();
    if (principal === undefined) {
      throw new Error('The route has no principal: import AuthModule in the root module.');
    }
    const { raw } = http.getResponse<FastifyReply>();
    return { tenant_id: principal.tenant_id, signal: leaving(raw) };
  },
);

/** Aborts when whoever an answer is for leaves without it, or has left already. */
export function leaving(answer: ServerResponse): AbortSignal {
  const left = new AbortController();
  const leave = (): void => {
    if (!answer.writableFinished) left.abort(callerLeft());
  };
  if (answer.destroyed) leave();
  else answer.once('close', leave);
  return left.signal;
}

/** Nobody reads it, and nobody is to blame. */
function callerLeft(): Problem {
  return new Problem({ status: 408, code: 'caller_left', detail: 'The caller did not wait.' });
}
