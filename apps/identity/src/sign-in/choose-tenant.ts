import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import { Problem } from '@soma/kernel';
import type { Visit } from '../oauth/interactions.ts';
import { AcceptInvitation } from '../tenancy/accept-invitation.ts';
import { Members } from '../tenancy/members.ts';
import { Users } from '../tenancy/users.ts';

/** Takes a person's word on for which tenant they sign in. */
@Injectable()
export class ChooseTenant {
  constructor(
    private readonly users: Users,
    private readonly members: Members,
    private readonly acceptInvitation: AcceptInvitation,
  ) {}

  /**
   * The tenant to go on for; nothing where the choice cannot be had any more.
   *
   * @param tenantId - One of the person's tenants; undefined for the one that invites them.
   */
  async execute(
    visit: Visit,
    tenantId: string | undefined,
    origin: AuditOrigin,
  ): Promise<string | undefined> {
    const userId = visit.wants === 'tenant' ? visit.person?.userId : undefined;
    if (userId === undefined) {
      return undefined;
    }
    if (tenantId === undefined) {
      return this.accept(visit, userId, origin);
    }
    const memberships = await this.members.ofUser(userId);
    return memberships.find(({ tenant_id }) => tenant_id === tenantId)?.tenant_id;
  }

  private async accept(
    { invitation }: Visit,
    userId: string,
    origin: AuditOrigin,
  ): Promise<string | undefined> {
    const user = await this.users.find(userId);
    if (user?.disabled_at !== null || invitation === undefined) {
      return undefined;
    }
    const actor = { ...origin, actor: { ...origin.actor, subject: userId } };
    const membership = await this.acceptInvitation
      .execute(user, invitation, actor)
      .catch((error: unknown) => {
        // Used, revoked or over since the page was shown: the next one says so.
        if (error instanceof Problem && error.status < 500) return undefined;
        throw error;
      });
    return membership?.tenant_id;
  }
}
