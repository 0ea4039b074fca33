import { Injectable } from '@nestjs/common';
import { assertVersion, type Caller } from '@soma/auth';
import type { Tenant, UpdateTenantRequest } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import { AuditLog } from '../audit/audit-log.ts';
import { Tenants } from './tenants.ts';

/** Gives the caller's tenant another name. */
@Injectable()
export class RenameTenant {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly tenants: Tenants,
    private readonly audit: AuditLog,
  ) {}

  /** @throws {@link Problem} 412 `version_mismatch` */
  execute(caller: Caller, { name }: UpdateTenantRequest): Promise<Tenant> {
    const { tenant_id } = caller.principal;
    return this.transaction.run(tenant_id, async (manager) => {
      const before = await this.tenants.lock(manager, tenant_id);
      assertVersion(caller, before.version);
      const tenant = await this.tenants.rename(manager, tenant_id, name);
      await this.audit.append(manager, {
        ...caller.origin,
        tenant_id,
        action: 'tenant.renamed',
        target: { type: 'tenant', id: tenant_id },
        outcome: 'success',
        details: { before: before.name, after: name },
      });
      return tenant;
    });
  }
}
