import type { IncomingHttpHeaders } from 'node:http';
import { missingCredential } from './unauthenticated.ts';

const BEARER = /^Bearer +(\S+)$/i;

/** The token in the header `Authorization` (RFC 6750 §2.1), if there is one. */
export function findBearerToken({ authorization }: IncomingHttpHeaders): string | undefined {
  return BEARER.exec(authorization ?? '')?.[1];
}

/** @throws {@link Problem} 401 `missing_credential` */
export function bearerToken(headers: IncomingHttpHeaders): string {
  const token = findBearerToken(headers);
  if (token === undefined) {
    throw missingCredential();
  }
  return token;
}
