import { type MemberRole, type Principal, roleScopes } from '@soma/contracts';
import { Problem } from '@soma/kernel';

/**
 * Whether somebody may give or take a role: only one that is good for nothing that their own is not.
 * A service has no role; what its scopes are good for counts.
 */
export function mayGrant({ role, scopes }: Principal, granted: MemberRole): boolean {
  const own: readonly string[] = role === undefined ? scopes : roleScopes[role];
  return roleScopes[granted].every((scope) => own.includes(scope));
}

/** @throws {@link Problem} 403 `role_exceeds_own` */
export function assertMayGrant(principal: Principal, granted: MemberRole): void {
  if (!mayGrant(principal, granted)) {
    throw new Problem({
      status: 403,
      code: 'role_exceeds_own',
      detail: `The role "${granted}" is good for more than your own. Ask somebody who has it.`,
    });
  }
}
