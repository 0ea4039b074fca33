/*
 * What a provider answers at its token endpoint, brought into the form of RFC 6749 §5.
 *
 * It stands between the network and oauth4webapi, which reads standard answers alone. Here form
 * encoding becomes JSON, nested tokens come to the top, errors with status 200 get 400, and types
 * are put right. An ID token is left out: nothing of ours reads one, and the credential that matters
 * comes from a TLS connection to the provider itself.
 */
import { TransientError } from '@soma/kernel';
import type { ProviderQuirks } from './provider-quirks.ts';

type Fields = Record<string, unknown>;

/** OAuth errors that are about a moment, whatever their status is (RFC 6749 §4.1.2.1). */
const PASSING = ['temporarily_unavailable', 'server_error'];
/** Request Timeout, Too Early and Too Many Requests. */
const PASSING_STATUS = new Set([408, 425, 429]);

/** What neither a scope nor an error has (RFC 6749 §3.3, §5.2), and no text of PostgreSQL: NUL. */
const UNPRINTABLE = /[^\x20-\x7e]+/g;
const MAX_SCOPE_LENGTH = 8_192;
/** Ten years. What is said to last longer is renewed or looked at by then. */
const MAX_LIFETIME_SECONDS = 315_360_000;

/** Device flow's own (RFC 8628 §3.5); some providers send it with 429. */
const SLOW_DOWN = 'slow_down';

/** What of an answer matters here. */
export interface Answer {
  status: number;
  contentType: string;
  retryAfter: string | null;
  body: string;
}

/**
 * The standard form of an answer.
 *
 * @param tried - For the error, as in `POST https://…/token`.
 * @throws {@link TransientError} for an answer that says nothing about what it was asked
 */
export function standardAnswer(
  answer: Answer,
  quirks: ProviderQuirks,
  tried: string,
): { status: number; body: Fields } {
  const fields = readFields(answer);
  if (isPassing(answer.status, fields, quirks)) {
    throw new TransientError(tried, {
      cause: new Error(`answered ${answer.status}`),
      ...retryAfterOf(answer.retryAfter),
    });
  }
  const fault = faultOf(fields, quirks);
  if (fault !== undefined || answer.status >= 400) {
    const status = answer.status >= 400 ? answer.status : 400;
    return { status, body: { error: fault ?? `http_${answer.status}` } };
  }
  // RFC 6749 §5.1 knows 200 alone.
  const isGiven = answer.status < 300;
  return { status: isGiven ? 200 : answer.status, body: standardTokens(fields ?? {}, quirks) };
}

function isPassing(
  status: number,
  fields: Fields | undefined,
  { passingErrors = [] }: ProviderQuirks,
): boolean {
  const error = fields?.['error'];
  if (error === SLOW_DOWN) {
    return false;
  }
  const isNamed = typeof error === 'string' && [...PASSING, ...passingErrors].includes(error);
  return isNamed || PASSING_STATUS.has(status) || status >= 500;
}

/** The description is left out: it may quote a credential. */
function faultOf(fields: Fields | undefined, quirks: ProviderQuirks): string | undefined {
  const error = fields?.['error'];
  const isRefusal = quirks.hasErrorsWithStatus200 === true && fields?.['ok'] === false;
  if (typeof error === 'string' && error !== '') {
    return error.replaceAll(UNPRINTABLE, ' ').slice(0, 100);
  }
  return isRefusal ? 'unknown_error' : undefined;
}

function readFields({ contentType, body }: Answer): Fields | undefined {
  if (contentType.includes('application/x-www-form-urlencoded')) {
    return Object.fromEntries(new URLSearchParams(body));
  }
  try {
    const parsed: unknown = JSON.parse(body);
    return isFields(parsed) ? parsed : undefined;
  } catch {
    // Not JSON, whatever it says it is: GitHub's text/plain, for one.
    const form = new URLSearchParams(body);
    return form.has('access_token') || form.has('error') ? Object.fromEntries(form) : undefined;
  }
}

/** Fields that are put right one by one, or that nothing of ours reads. */
const REWRITTEN = new Set(['expires', 'expires_in', 'id_token', 'scope', 'token_type']);

function standardTokens(fields: Fields, { tokenPath, bearerTypes }: ProviderQuirks): Fields {
  const nested = tokenPath === undefined ? undefined : fields[tokenPath];
  const hasOwn = typeof fields['access_token'] === 'string';
  const tokens = !hasOwn && isFields(nested) ? nested : fields;
  const kept = Object.entries(tokens).filter(
    ([name, value]) => value !== null && !REWRITTEN.has(name),
  );
  return {
    ...Object.fromEntries(kept),
    token_type: standardType(tokens['token_type'], bearerTypes ?? []),
    ...standardScope(tokens['scope']),
    ...standardLifetime(tokens['expires_in'] ?? tokens['expires']),
  };
}

function standardType(type: unknown, bearerTypes: readonly string[]): string {
  // Required by RFC 6749 §5.1, and forgotten by many.
  if (typeof type !== 'string' || type === '' || bearerTypes.includes(type.toLowerCase())) {
    return 'bearer';
  }
  return type;
}

function standardScope(scope: unknown): { scope?: string } {
  const text = Array.isArray(scope)
    ? scope.filter((each) => typeof each === 'string').join(' ')
    : scope;
  if (typeof text !== 'string') {
    return {};
  }
  const printable = text.replaceAll(UNPRINTABLE, ' ').replaceAll(/[\s,]+/g, ' ');
  return { scope: printable.trim().slice(0, MAX_SCOPE_LENGTH) };
}

/** Seconds; 0 and less mean that it does not say, as older providers have it. */
function standardLifetime(value: unknown): { expires_in?: number } {
  const seconds = typeof value === 'string' ? Number(value) : value;
  const isSaid = typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0;
  return isSaid ? { expires_in: Math.min(Math.floor(seconds), MAX_LIFETIME_SECONDS) } : {};
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Seconds or a date (RFC 9110 §10.2.3). */
function retryAfterOf(header: string | null): { retryAfterMs?: number } {
  if (header === null) {
    return {};
  }
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? {} : { retryAfterMs: Math.max(0, ms) };
}
