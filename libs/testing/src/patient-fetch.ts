import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MS = 30_000;

/**
 * Asks as a client does that takes a server at its word: an answer of 503 that says when to try again
 * (RFC 9110 §10.2.3) is waited out, for half a minute at most. A test whose machine stands still for a
 * moment goes on by it.
 */
export async function patientFetch(url: string, init?: RequestInit): Promise<Response> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const response = await fetch(url, init);
    const retryAfter = response.headers.get('retry-after');
    if (response.status !== 503 || retryAfter === null || Date.now() > deadline) return response;
    await response.body?.cancel();
    await delay(Number(retryAfter) * 1_000);
  }
}
