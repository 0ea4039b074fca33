import { describe, expect, it } from '@jest/globals';
import { askedPauseMs, retryAfterMs } from './retry-after.ts';

describe('retryAfterMs', () => {
  const read = (text?: string): number | undefined =>
    retryAfterMs(new Headers(text === undefined ? {} : { 'retry-after': text }));

  it('reads seconds and dates, and nothing else (RFC 9110 §10.2.3)', () => {
    expect(read('120')).toBe(120_000);
    expect(read(new Date(Date.now() + 3_600_000).toUTCString())).toBeGreaterThan(3_500_000);
    expect(read('Fri, 31 Dec 1999 23:59:59 GMT')).toBe(0);
    expect([read(), read('soon')]).toEqual([undefined, undefined]);
  });

  it('is a pause where the answer is one that says when to come again', () => {
    const pauses = [429, 503, 200, 302].map((status) =>
      askedPauseMs(new Response(null, { status, headers: { 'retry-after': '2' } })),
    );

    expect(pauses).toEqual([2_000, 2_000, undefined, undefined]);
  });
});
