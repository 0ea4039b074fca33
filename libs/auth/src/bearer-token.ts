import type { IncomingHttpHeaders } from 'node:http';
import { missingCredential } from './unauthenticated.ts';

const BEARER = /^Bearer +(\S+)$/i;

/** The token in the header `Authorization` (RFC 6750 §2.1). */
export function bearerToken({ authorization }: IncomingHttpHeaders): string {
  const token = BEARER.exec(authorization ?? '')?.[1];
  if (token === undefined) {
    throw missingCredential();
  }
  return token;
}
