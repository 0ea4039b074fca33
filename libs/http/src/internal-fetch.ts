import { abortAfter, type Secret, TransientError } from '@soma/kernel';
import { traceHeaders, withSpan } from '@soma/observability';
import { retryAfterMs } from './retry-after.ts';

const DEFAULT_TIMEOUT_MS = 10_000;

/** A request from one service to another. */
export interface InternalRequest {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as JSON. */
  body?: unknown;
  /** Answers a token whose audience is the other service. */
  token: () => Promise<Secret>;
  headers?: Record<string, string>;
  timeoutMs?: number;
  signal?: AbortSignal;
}

/**
 * Asks another service, as ourselves, within the trace and under the id of the current request.
 *
 * @returns The answer, unless trying again may help.
 * @throws {@link TransientError} when the service does not answer, or answers 429 or 5xx.
 */
export function internalFetch(url: URL, request: InternalRequest): Promise<Response> {
  const { method = 'GET' } = request;
  const attributes = { 'http.request.method': method, 'server.address': url.host };
  return withSpan({ name: `${method} ${url.hostname}`, kind: 'client', attributes }, async () => {
    const tried = `${method} ${url.origin}${url.pathname}`;
    const init = await toInit(method, request);
    const response = await fetch(url, init).catch((cause: unknown) => {
      // The caller's own decision to stop is no fault of the other service.
      request.signal?.throwIfAborted();
      throw new TransientError(tried, { cause });
    });
    if (response.status !== 429 && response.status < 500) {
      return response;
    }
    await response.body?.cancel();
    const waitMs = retryAfterMs(response.headers);
    throw new TransientError(tried, {
      cause: new Error(`answered ${response.status}`),
      ...(waitMs !== undefined && { retryAfterMs: waitMs }),
    });
  });
}

async function toInit(method: string, request: InternalRequest): Promise<RequestInit> {
  const { body, token, headers, timeoutMs = DEFAULT_TIMEOUT_MS, signal } = request;
  return {
    method,
    headers: {
      ...traceHeaders(),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      authorization: `Bearer ${(await token()).reveal()}`,
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    // A redirect would carry the token to somebody else.
    redirect: 'error',
    signal: abortAfter(timeoutMs, signal),
  };
}
