import type { AccessScope, Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';

/**
 * Lets nobody hand on, by a key, what their own credential is not good for.
 *
 * @throws {@link Problem} 403 `scope_exceeds_own`
 */
export function assertOwnScopes({ scopes }: Principal, wanted: readonly AccessScope[]): void {
  const missing = wanted.filter((scope) => !scopes.includes(scope));
  if (missing.length > 0) {
    throw new Problem({
      status: 403,
      code: 'scope_exceeds_own',
      detail: `Your own credential is not good for ${missing.join(', ')}, so no key of yours can be.`,
    });
  }
}
