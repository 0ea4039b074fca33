import { Injectable } from '@nestjs/common';
import { type MemberRole, roleScopes } from '@soma/contracts';
import { type Account, errors } from 'oidc-provider';
import { Members } from '../tenancy/members.ts';
import { type User, Users } from '../tenancy/users.ts';

/** What a person is in the tenant that a token is for. */
export interface Membership {
  tenant_id: string;
  role: MemberRole;
}

/** What a person may have tokens for. */
@Injectable()
export class PersonAccess {
  constructor(
    private readonly users: Users,
    private readonly members: Members,
  ) {}

  /** The person behind a subject, unless they may not sign in any more. */
  async account(userId: string): Promise<Account | undefined> {
    const user = await this.users.find(userId);
    return user?.disabled_at === null
      ? { accountId: userId, claims: () => claimsOf(user) }
      : undefined;
  }

  /**
   * Which of a person's tenants they sign in to.
   *
   * @param wanted - What the client asked for. Without it the person must have one tenant.
   */
  async signInTo(userId: string, wanted: unknown): Promise<Membership> {
    const memberships = await this.members.ofUser(userId);
    if (wanted !== undefined) {
      return memberOf(memberships.find(({ tenant_id }) => tenant_id === wanted));
    }
    if (memberships.length > 1) {
      throw new errors.InvalidRequest('the person has several tenants: name one in "tenant"');
    }
    return memberOf(memberships[0]);
  }

  /** What a person is in a tenant now. It may be less than when they signed in, or nothing. */
  async membership(userId: string, tenantId: string): Promise<Membership> {
    const memberships = await this.members.ofUser(userId);
    return memberOf(memberships.find(({ tenant_id }) => tenant_id === tenantId));
  }
}

/** Those of a client's scopes that a role is good for. */
export function scopesOf(role: MemberRole, scopes: readonly string[]): string[] {
  const allowed = new Set<string>(roleScopes[role]);
  return scopes.filter((scope) => allowed.has(scope));
}

function memberOf(membership: Membership | undefined): Membership {
  if (membership === undefined) {
    throw new errors.AccessDenied('the person is not a member of the tenant');
  }
  return membership;
}

function claimsOf(user: User): { sub: string; [claim: string]: unknown } {
  return {
    sub: user.user_id,
    name: user.display_name,
    email: user.email,
    email_verified: user.email_verified_at !== null,
  };
}
