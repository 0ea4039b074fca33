import type { IncomingHttpHeaders } from 'node:http';

/** One value that a browser keeps for us, for one path. */
export interface BrowserCookie {
  name: string;
  value: string;
  path: string;
  maxAgeSeconds: number;
  /**
   * Whether pages of other sites may bring it along with what they post. Browsers allow that only
   * beside `Secure`, so that such a cookie always is (RFC 6265bis §5.6).
   */
  isCrossSite: boolean;
  isSecure: boolean;
}

/** The header `Set-Cookie` that gives it to the browser. No script ever reads it. */
export function setCookie(cookie: BrowserCookie): string {
  const { name, value, path, maxAgeSeconds, isCrossSite, isSecure } = cookie;
  const parts = [`${name}=${value}`, `Path=${path}`, `Max-Age=${maxAgeSeconds}`, 'HttpOnly'];
  return [
    ...parts,
    isCrossSite ? 'SameSite=None' : 'SameSite=Lax',
    ...(isCrossSite || isSecure ? ['Secure'] : []),
  ].join('; ');
}

/** What the browser has under a name; the first, where it sends several. */
export function readCookie({ cookie = '' }: IncomingHttpHeaders, name: string): string | undefined {
  const pair = cookie.split('; ').find((each) => each.startsWith(`${name}=`));
  return pair?.slice(name.length + 1);
}
