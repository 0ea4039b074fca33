import type { JWK } from 'jose';
import { z } from 'zod';

/** A JSON Web Key Set (RFC 7517 §5). Which of its keys are of use is decided later. */
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

/** Reads a key set. The members of its keys are checked by what imports them. */
export function toKeys(value: unknown): JWK[] {
  return keySet.parse(value).keys;
}

/** What is sent. */
export interface JsonRequest {
  method?: 'POST';
  headers?: Record<string, string>;
  body?: string;
  signal: AbortSignal;
}

/** @throws Error when the answer is not 2xx, or leads elsewhere: whoever asks trusts one place. */
export async function fetchJson(url: URL | string, init: JsonRequest): Promise<unknown> {
  const response = await fetch(url, {
    ...init,
    redirect: 'error',
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`${new URL(url).origin} answered ${response.status}.`);
  }
  return response.json();
}
