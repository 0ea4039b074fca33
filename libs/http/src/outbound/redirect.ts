import { Problem } from '@soma/kernel';

/** One request of a chain of redirects. */
export interface Hop {
  url: URL;
  method: string;
  headers: Headers;
  body: string | Uint8Array | URLSearchParams | undefined;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** What says nothing about who asks. Any other header may be a credential. */
const HARMLESS = new Set(['accept', 'accept-language', 'user-agent']);

/**
 * The request that an answer redirects to (RFC 9110 §15.4), or undefined where it does not.
 *
 * Another origin hears of no header that may be a credential, and gets no body: both were meant for
 * the one before.
 *
 * @throws {@link Problem} 422 `outbound_redirect_refused`
 */
export function redirectedHop(hop: Hop, { status, headers }: Response): Hop | undefined {
  const location = headers.get('location');
  if (!REDIRECTS.has(status) || location === null) {
    return undefined;
  }
  const url = URL.parse(location, hop.url.href);
  if (url === null || (hop.url.protocol === 'https:' && url.protocol !== 'https:')) {
    throw redirectRefused('It redirects to where the connection would not be protected.');
  }
  const next = asGet(hop, status)
    ? { ...hop, url, method: 'GET', body: undefined }
    : { ...hop, url };
  return url.origin === hop.url.origin ? withoutContent(next) : toStranger(next);
}

export function redirectRefused(reason: string): Problem {
  return new Problem({
    status: 422,
    code: 'outbound_redirect_refused',
    detail: `The other side sends the request elsewhere, and it is not followed. ${reason}`,
  });
}

function asGet({ method }: Hop, status: number): boolean {
  return (status === 303 && method !== 'HEAD') || (status < 303 && method === 'POST');
}

/** A request that has lost its body describes none. */
function withoutContent(hop: Hop): Hop {
  const isContent = (name: string): boolean => name.startsWith('content-');
  return hop.body === undefined ? keepHeaders(hop, (name) => !isContent(name)) : hop;
}

function toStranger(hop: Hop): Hop {
  if (hop.body !== undefined) {
    throw redirectRefused('It would hand what was sent to somebody else.');
  }
  return keepHeaders(hop, (name) => HARMLESS.has(name));
}

function keepHeaders(hop: Hop, isKept: (name: string) => boolean): Hop {
  return { ...hop, headers: new Headers([...hop.headers].filter(([name]) => isKept(name))) };
}
