import type { KoaContextWithOIDC } from 'oidc-provider';

/** The id under which the request is logged; the door has set it on the answer already. */
export function requestIdOf({ res }: KoaContextWithOIDC): string | null {
  const id = res.getHeader('x-request-id');
  return typeof id === 'string' ? id : null;
}
