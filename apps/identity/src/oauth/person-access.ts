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

  async countTenants(userId: string): Promise<number> {
    return (await this.members.ofUser(userId)).length;
  }

  /**
   * Which of a person's tenants they sign in to; none where they have yet to choose one.
   *
   * @param wanted - What they chose or the client asked for.
   */
  async signInTo(userId: string, wanted: unknown): Promise<string | undefined> {
    const memberships = await this.members.ofUser(userId);
    if (wanted !== undefined) {
      return memberOf(memberships.find(({ tenant_id }) => tenant_id === wanted)).tenant_id;
    }
    return memberships.length === 1 ? memberships[0]?.tenant_id : undefined;
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
