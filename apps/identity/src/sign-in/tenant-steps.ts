import { Injectable } from '@nestjs/common';
import type { MemberRole, Membership } from '@soma/contracts';
import type { Secret } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { FindInvitation } from '../tenancy/find-invitation.ts';
import { Members } from '../tenancy/members.ts';
import { Tenants } from '../tenancy/tenants.ts';
import { Users } from '../tenancy/users.ts';
import type { Visit } from '../oauth/interactions.ts';

/** A tenant, as somebody sees it who is or may become a member. */
export interface OfferedTenant {
  tenant_id: string;
  name: string;
  role: MemberRole;
}

/** What is open of for which tenant a person signs in. */
export type TenantStep =
  | {
      kind: 'choose_tenant';
      tenants: OfferedTenant[];
      /** Undefined where the person follows none that they can accept. */
      invitation: OfferedTenant | undefined;
      isInvitationUnusable: boolean;
    }
  | { kind: 'tenant_chosen'; tenantId: string };

/** Says what a person who is known may choose from: their tenants, and the one that invites them. */
@Injectable()
export class TenantSteps {
  constructor(
    private readonly users: Users,
    private readonly members: Members,
    private readonly invitations: FindInvitation,
    private readonly tenants: Tenants,
    private readonly transaction: TenantTransaction,
  ) {}

  async next({ person, invitation }: Visit): Promise<TenantStep> {
    const userId = person?.userId ?? '';
    const memberships = await this.members.ofUser(userId);
    const invited = invitation && (await this.invitationOf(userId, invitation));
    const decided = decidedBy(memberships, invitation, invited);
    if (decided !== undefined) {
      return { kind: 'tenant_chosen', tenantId: decided };
    }
    const [offered] = await this.named(invited === undefined ? [] : [invited]);
    return {
      kind: 'choose_tenant',
      tenants: await this.named(memberships),
      invitation: offered,
      isInvitationUnusable: invitation !== undefined && offered === undefined,
    };
  }

  private async invitationOf(userId: string, token: Secret): Promise<Membership | undefined> {
    const user = await this.users.find(userId);
    return user && (await this.invitations.execute(user, token));
  }

  private async named(memberships: readonly Membership[]): Promise<OfferedTenant[]> {
    if (memberships.length === 0) {
      return [];
    }
    const ids = memberships.map(({ tenant_id }) => tenant_id);
    const found = await this.transaction.runEach(ids, (manager, id) =>
      this.tenants.find(manager, id),
    );
    const names = new Map(found.map(({ tenant_id, name }) => [tenant_id, name]));
    return memberships.map(({ tenant_id, role }) => {
      return { tenant_id, role, name: names.get(tenant_id) ?? tenant_id };
    });
  }
}

/** The tenant where there is nothing left to choose: things may have changed since the page was shown. */
function decidedBy(
  memberships: readonly Membership[],
  invitation: Secret | undefined,
  invited: Membership | undefined,
): string | undefined {
  if (invitation !== undefined) {
    return memberships.find(({ tenant_id }) => tenant_id === invited?.tenant_id)?.tenant_id;
  }
  return memberships.length === 1 ? memberships[0]?.tenant_id : undefined;
}
