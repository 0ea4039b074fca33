import type { Secret } from '@soma/kernel';
import type { z } from 'zod';

/** One request of a probe. */
export interface Question {
  url: string;
  signal: AbortSignal;
  token?: Secret | undefined;
  /** Makes it a POST. */
  body?: object;
}

/** Asks, and reads the answer by its schema. @throws In a sentence that says what was not as it must be. */
export async function askJson<Schema extends z.ZodType>(
  { url, signal, token, body }: Question,
  schema: Schema,
): Promise<z.output<Schema>> {
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token && { authorization: `Bearer ${token.reveal()}` }),
    },
    ...(body && { body: JSON.stringify(body) }),
    signal,
  });
  const { pathname } = new URL(url);
  if (!response.ok) {
    throw new Error(`${pathname} answered ${response.status}.`);
  }
  const answer = schema.safeParse(await response.json());
  if (!answer.success) {
    throw new Error(`What ${pathname} answered is not what was asked for.`);
  }
  return answer.data;
}

/** An address below a base URL, with or without a slash at its end. */
export function below(baseUrl: string, path: string): string {
  return `${baseUrl.replace(/\/$/, '')}${path}`;
}
