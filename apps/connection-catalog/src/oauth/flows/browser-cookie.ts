import type { IncomingHttpHeaders } from 'node:http';

const PREFIX = 'soma_oauth_';
/** A browser that brings more than this started none of them here. */
const MAX_COOKIES = 20;

/** What binds one authorisation to one browser. No script reads it, and it goes to the callback alone. */
export interface FlowCookie {
  flowId: string;
  value: string;
  path: string;
  maxAgeSeconds: number;
  isSecure: boolean;
}

/**
 * The header `Set-Cookie`. `Lax`: a browser brings it along when the provider sends it back, which is
 * a navigation, and with nothing that another page does behind its back.
 */
export function setFlowCookie(cookie: FlowCookie): string {
  const { flowId, value, path, maxAgeSeconds, isSecure } = cookie;
  const attributes = [`Path=${path}`, `Max-Age=${maxAgeSeconds}`, 'HttpOnly', 'SameSite=Lax'];
  return [`${PREFIX}${flowId}=${value}`, ...attributes, ...(isSecure ? ['Secure'] : [])].join('; ');
}

/** The keys that a browser brings: one for each authorisation that it has started. */
export function readFlowCookies({ cookie = '' }: IncomingHttpHeaders): string[] {
  return cookie
    .split(/; */)
    .filter((pair) => pair.startsWith(PREFIX))
    .slice(0, MAX_COOKIES)
    .map((pair) => pair.slice(pair.indexOf('=') + 1));
}
