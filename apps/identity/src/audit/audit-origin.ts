import type { AuditOrigin } from '@soma/auth';
import type { FastifyRequest } from 'fastify';

/** Where a request comes from whose sender has no token: a browser on the pages of a sign-in. */
export function auditOrigin({ ip, id }: Pick<FastifyRequest, 'ip' | 'id'>): AuditOrigin {
  return { actor: { subject: 'anonymous', address: ip }, request_id: id };
}
