import { Problem, TransientError } from '@soma/kernel';
import { ProviderRefusal, UnclearAnswer } from './provider-error.ts';

/** What a client is told of a provider that it is waiting for. Other errors go on as they are. */
function asProblem(error: unknown): unknown {
  if (error instanceof ProviderRefusal) {
    return new Problem({
      status: 422,
      code: 'oauth_provider_refused',
      detail: `The provider refused: ${error.error}. Check the client and its settings there.`,
      cause: error,
    });
  }
  if (error instanceof UnclearAnswer || error instanceof TransientError) {
    return new Problem({
      status: 502,
      code: 'oauth_provider_unreachable',
      detail: 'The provider cannot be reached, or its answer makes no sense. Try again later.',
      cause: error,
    });
  }
  return error;
}

/** Runs what waits for a provider on behalf of a client. */
export async function withProviderProblems<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw asProblem(error);
  }
}

/** What a provider is, or says of itself, cannot be worked with. */
export function providerUnusable(detail: string): Problem {
  return new Problem({ status: 422, code: 'oauth_provider_unusable', detail });
}

/**
 * Whoever opens what a provider names does so on our word: `javascript:` would run in the page of a
 * partner. What the provider does not name is no matter.
 *
 * @throws {@link Problem} 422 `oauth_provider_unusable`
 */
export function assertOnWeb(...addresses: readonly (string | null | undefined)[]): void {
  const protocols = addresses
    .filter((address) => typeof address === 'string')
    .map((address) => URL.parse(address)?.protocol);
  if (protocols.some((protocol) => protocol !== 'https:' && protocol !== 'http:')) {
    throw providerUnusable('The provider sends people to an address that is not on the web.');
  }
}
