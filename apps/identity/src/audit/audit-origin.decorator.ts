import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import type { FastifyRequest } from 'fastify';
import type { AuditEntry } from './audit-log.ts';

/** Who asks for something, from where, and in which request: the half of a line that every use case shares. */
export type AuditOrigin = Pick<AuditEntry, 'actor' | 'request_id'>;

/**
 * Where a request comes from.
 *
 * @param subject - Who asks; by default the verified principal, else `anonymous`.
 */
export function auditOrigin(
  request: Pick<FastifyRequest, 'ip' | 'id'> & { principal?: Principal },
  subject = request.principal?.subject ?? 'anonymous',
): AuditOrigin {
  return { actor: { subject, address: request.ip }, request_id: request.id };
}

/** Hands a controller method the {@link AuditOrigin} of its request. */
export const CurrentAuditOrigin = createParamDecorator(
  (_data: unknown, context: ExecutionContext): AuditOrigin =>
    auditOrigin(context.switchToHttp().getRequest<FastifyRequest & { principal?: Principal }>()),
);
