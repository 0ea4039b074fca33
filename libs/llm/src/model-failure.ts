import { type Secret, TransientError } from '@soma/kernel';
import { APICallError } from 'ai';
import type { KeyedProviderName } from './models.ts';
import { PROVIDER_LABELS } from './providers.ts';

/** Why a call failed. */
export type ModelFailureCode =
  | 'rate_limited'
  | 'provider_failed'
  | 'provider_unreachable'
  | 'timed_out'
  | 'answer_cut_short'
  | 'answer_malformed'
  | 'circuit_open'
  | 'key_missing'
  | 'key_refused'
  | 'key_unavailable'
  | 'model_not_found'
  | 'context_too_long'
  | 'request_refused';

/** What is known of a failed call. */
export interface ModelFailureOptions {
  provider: KeyedProviderName;
  code: ModelFailureCode;
  /** The provider's HTTP status, where it gave one. */
  status?: number | undefined;
  /** How long the provider asks callers to wait. */
  retryAfterMs?: number | undefined;
  /** The provider's own words, for the log. */
  upstream?: string | undefined;
}

/** What each failure means for the caller, and what is said of it. */
const FAILURES: Record<ModelFailureCode, { retryable: boolean; says: string }> = {
  rate_limited: { retryable: true, says: 'is limiting requests at the moment' },
  provider_failed: { retryable: true, says: 'failed to answer' },
  provider_unreachable: { retryable: true, says: 'cannot be reached' },
  timed_out: { retryable: true, says: 'was silent for too long' },
  answer_cut_short: { retryable: true, says: 'ended its answer before it was complete' },
  answer_malformed: { retryable: true, says: 'sent an answer that cannot be read' },
  circuit_open: { retryable: true, says: 'has failed repeatedly and is left alone for a while' },
  key_refused: { retryable: false, says: 'refused its key; an operator has to set another' },
  key_missing: { retryable: true, says: 'has no key here; connect an account' },
  key_unavailable: { retryable: true, says: 'cannot be asked, for its key cannot be had now' },
  model_not_found: { retryable: false, says: 'does not offer the model' },
  context_too_long: { retryable: false, says: 'cannot take a conversation of this length' },
  request_refused: { retryable: false, says: 'refused the request' },
};

/** What an HTTP status means; others below 500 are our fault, and the rest the provider's. */
const CODES: Partial<Record<number, ModelFailureCode>> = {
  401: 'key_refused',
  403: 'key_refused',
  404: 'model_not_found',
  408: 'timed_out',
  409: 'provider_failed',
  413: 'context_too_long',
  429: 'rate_limited',
};

const MAX_UPSTREAM_LENGTH = 500;
const TOO_LONG =
  /context[ _](length|window)|prompt is too long|too many tokens|token count .* exceeds/i;

/**
 * A call to a model that failed.
 *
 * `message` may be shown to anyone: it names the provider and nothing else. The provider's own
 * words are in `upstream`, without the key. The original error is left out on purpose: it carries
 * the prompt, the address and the headers.
 */
export class ModelFailure extends Error {
  override readonly name = 'ModelFailure';
  readonly provider: KeyedProviderName;
  readonly code: ModelFailureCode;
  /** Whether the same call may work later, or at another provider. */
  readonly retryable: boolean;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly upstream: string | undefined;

  constructor({ provider, code, status, retryAfterMs, upstream }: ModelFailureOptions) {
    super(`${PROVIDER_LABELS[provider]} ${FAILURES[code].says}.`);
    this.provider = provider;
    this.code = code;
    this.retryable = FAILURES[code].retryable;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.upstream = upstream;
  }
}

/** Says what an error of the AI SDK, of the network or inside a stream means. */
export function toModelFailure(
  error: unknown,
  { provider, key }: { provider: KeyedProviderName; key: Secret },
): ModelFailure {
  if (error instanceof ModelFailure) {
    return error;
  }
  if (error instanceof TransientError) {
    return notAsked(provider, error);
  }
  const status = statusOf(error);
  const words = wordsOf(error);
  const code = status === undefined ? codeWithoutStatus(error, words) : codeOf(status, words);
  return new ModelFailure({
    provider,
    code,
    status,
    retryAfterMs: retryAfterMs(error),
    // A provider that refuses a key tends to repeat it, in part and in ways that no filter knows.
    ...(code !== 'key_refused' && {
      upstream: words.replaceAll(key.reveal(), String(key)).slice(0, MAX_UPSTREAM_LENGTH),
    }),
  });
}

/** Whoever makes our requests has not come to the provider, or not yet. */
function notAsked(provider: KeyedProviderName, error: TransientError): ModelFailure {
  const { retryAfterMs, message: upstream } = error;
  const code = retryAfterMs === undefined ? 'provider_unreachable' : 'rate_limited';
  return new ModelFailure({ provider, code, retryAfterMs, upstream });
}

function codeOf(status: number, words: string): ModelFailureCode {
  if (status < 500 && TOO_LONG.test(words)) {
    return 'context_too_long';
  }
  return CODES[status] ?? (status >= 500 ? 'provider_failed' : 'request_refused');
}

function codeWithoutStatus(error: unknown, words: string): ModelFailureCode {
  if (TOO_LONG.test(words)) {
    return 'context_too_long';
  }
  if (APICallError.isInstance(error)) {
    return 'provider_unreachable';
  }
  switch (nameOf(error)) {
    case 'AI_JSONParseError':
    case 'AI_TypeValidationError':
      return 'answer_malformed';
    case 'AI_InvalidResponseDataError':
      return 'answer_cut_short';
    case 'TypeError':
      // What undici throws when it gets no connection, and when one breaks while a body is read.
      return words === 'fetch failed' ? 'provider_unreachable' : 'answer_cut_short';
    default:
      return 'provider_failed';
  }
}

/** Not `instanceof`: tests run in a realm of their own, and the network's errors come from outside. */
function nameOf(error: unknown): unknown {
  return (error as { name?: unknown }).name;
}

/** Errors inside a stream are plain objects; their shape differs from provider to provider. */
function statusOf(error: unknown): number | undefined {
  const { statusCode, code } = error as { statusCode?: unknown; code?: unknown };
  return [statusCode, code].filter((each) => typeof each === 'number').find((each) => each >= 400);
}

function wordsOf(error: unknown): string {
  const { message } = error as { message?: unknown };
  return typeof message === 'string' ? message : '';
}

/** The `Retry-After` header: seconds, or a date (RFC 9110 §10.2.3). */
function retryAfterMs(error: unknown): number | undefined {
  const header = APICallError.isInstance(error)
    ? error.responseHeaders?.['retry-after']
    : undefined;
  if (header === undefined) {
    return undefined;
  }
  const seconds = Number(header);
  const ms = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
