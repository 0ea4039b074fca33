import { Inject, Injectable } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import type { CreatedTenant, CreateTenantRequest, Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { AuditLog } from '../audit/audit-log.ts';
import { Invitations } from './invitations.ts';
import { MemberRows } from './member-rows.ts';
import { OPERATOR_TENANT } from './operator-tenant.ts';
import { Tenants } from './tenants.ts';

/**
 * Creates a tenant, for the operator alone, and invites its first owner.
 *
 * Asking again for a tenant that nobody has joined yet invites again, so that a lost answer loses
 * nothing; the earlier invitation is void then.
 */
@Injectable()
export class CreateTenant {
  constructor(
    @Inject(OPERATOR_TENANT) private readonly operatorTenant: string,
    private readonly transaction: TenantTransaction,
    private readonly tenants: Tenants,
    private readonly members: MemberRows,
    private readonly invitations: Invitations,
    private readonly audit: AuditLog,
  ) {}

  /** @throws {@link Problem} 403 `operator_required`, 409 `tenant_exists` */
  execute({ principal, origin }: Caller, request: CreateTenantRequest): Promise<CreatedTenant> {
    this.assertOperator(principal);
    const { tenant_id, name, owner_email } = request;
    // The one tenant that comes from a body: the operator's credential is good for all of them.
    return this.transaction.run(tenant_id, async (manager) => {
      await this.tenants.create(manager, { tenant_id, name });
      const tenant = await this.tenants.lock(manager, tenant_id);
      if (!(await this.members.isEmpty(manager, tenant_id))) {
        throw tenantExists(tenant_id);
      }
      const owner = { email: owner_email, role: 'owner', invited_by: principal.subject } as const;
      const invitation = await this.invitations.create(manager, tenant_id, owner);
      await this.audit.append(manager, {
        ...origin,
        tenant_id,
        action: 'tenant.created',
        target: { type: 'tenant', id: tenant_id },
        outcome: 'success',
        details: { name: tenant.name, owner_email },
      });
      return { tenant, invitation };
    });
  }

  private assertOperator({ tenant_id, role }: Principal): void {
    if (tenant_id !== this.operatorTenant || role !== undefined) {
      throw new Problem({
        status: 403,
        code: 'operator_required',
        detail: 'Only the operator of Soma creates tenants. Ask whoever runs it.',
      });
    }
  }
}

function tenantExists(tenantId: string): Problem {
  return new Problem({
    status: 409,
    code: 'tenant_exists',
    detail: `The tenant "${tenantId}" has members already. Choose another id.`,
  });
}
