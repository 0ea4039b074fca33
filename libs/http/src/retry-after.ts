/** These say when to come again (RFC 9110 §15.6.4, RFC 6585 §4). */
const LATER = new Set([429, 503]);

/** How long an answer asks to be left alone; undefined where it does not. */
export function askedPauseMs({ status, headers }: Response): number | undefined {
  const waitMs = LATER.has(status) ? retryAfterMs(headers) : undefined;
  return waitMs === 0 ? undefined : waitMs;
}

/** How long the other side asks to wait: seconds, or a date (RFC 9110 §10.2.3). */
export function retryAfterMs(headers: Headers): number | undefined {
  const text = headers.get('retry-after');
  if (text === null) {
    return undefined;
  }
  const seconds = Number(text);
  const ms = Number.isNaN(seconds) ? Date.parse(text) - Date.now() : seconds * 1000;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
