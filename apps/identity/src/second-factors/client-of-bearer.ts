import { Buffer } from 'node:buffer';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';

const claims = z.object({ client_id: z.string() });

/**
 * The client that the request's access token was issued to (RFC 9068 §2.2); empty where it does not
 * say. The guard has verified the token before.
 */
export function clientOfBearer({ headers }: Pick<FastifyRequest, 'headers'>): string {
  const [, payload = ''] = (headers.authorization ?? '').split('.');
  try {
    return claims.parse(JSON.parse(Buffer.from(payload, 'base64url').toString())).client_id;
  } catch {
    return '';
  }
}
