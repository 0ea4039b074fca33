import { TransientError } from '@soma/kernel';
import * as oauth from 'oauth4webapi';
import type { Renewal } from '../grants/grant-lifecycle.ts';

/**
 * What a provider refused, by the code it gave.
 *
 * What oauth4webapi throws has the whole answer in its causes, tokens included, so nothing of it goes
 * any further than this file (P8).
 */
export class ProviderRefusal extends Error {
  override readonly name = 'ProviderRefusal';

  constructor(
    /** As in RFC 6749 §5.2, or the provider's own. */
    readonly error: string,
    tried: string,
  ) {
    super(`${tried} was refused: ${error}.`);
  }
}

/** What a provider answered makes no sense, or nothing came. It is not known what it did. */
export class UnclearAnswer extends Error {
  override readonly name = 'UnclearAnswer';
}

/** Runs a request of oauth4webapi and turns its errors into ours. */
export async function withPlainErrors<Result>(
  tried: string,
  request: () => Promise<Result>,
): Promise<Result> {
  try {
    return await request();
  } catch (error) {
    throw toPlainError(tried, error);
  }
}

function toPlainError(tried: string, error: unknown): Error {
  if (error instanceof oauth.ResponseBodyError) {
    return new ProviderRefusal(error.error, tried);
  }
  if (error instanceof oauth.OperationProcessingError) {
    return new UnclearAnswer(`${tried} answered something else: ${error.code ?? 'unknown'}.`);
  }
  return error instanceof Error ? error : new UnclearAnswer(`${tried} failed.`);
}

/** Refusals that are about the client or the way it asks, and not about the grant. */
const OF_THE_CLIENT = new Set([
  'invalid_client',
  'unauthorized_client',
  'invalid_scope',
  'invalid_target',
  'unsupported_grant_type',
  // GitHub's and Slack's names for it.
  'incorrect_client_credentials',
  'bad_client_secret',
  'invalid_client_id',
  'http_401',
  'http_403',
  'http_404',
  'http_405',
]);

/** What a failed renewal says of the grant. Anything unheard of needs a person. */
export function renewalOf(error: unknown): Exclude<Renewal, { kind: 'tokens' }> {
  if (error instanceof ProviderRefusal && error.error === 'slow_down') {
    return { kind: 'unanswered', error: error.error, retryAfterMs: undefined };
  }
  if (error instanceof ProviderRefusal) {
    const kind = OF_THE_CLIENT.has(error.error) ? 'misconfigured' : 'refused';
    return { kind, error: error.error };
  }
  const retryAfterMs = error instanceof TransientError ? error.retryAfterMs : undefined;
  return { kind: 'unanswered', error: reasonOf(error), retryAfterMs };
}

function reasonOf(error: unknown): string {
  return error instanceof UnclearAnswer ? 'provider_answer_unclear' : 'provider_unavailable';
}
