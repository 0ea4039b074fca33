import type { AuditOrigin } from '@soma/auth';
import type { AuditReport } from '@soma/contracts';
import { Inject, Injectable } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { AuditLog } from '../audit/audit-log.ts';
import { OPERATOR_TENANT } from '../tenancy/operator-tenant.ts';
import { Members } from '../tenancy/members.ts';

/** What a person's change came to, and what the audit log says of it. */
export interface PersonChange<Result> {
  result: Result;
  line?: Pick<AuditReport, 'action' | 'target' | 'outcome' | 'details'>;
}

/**
 * A transaction that changes what belongs to a person, and says so in the audit log of each of their
 * tenants: how somebody signs in concerns all of them. Of somebody without a tenant it says so in the
 * operator's.
 */
@Injectable()
export class PersonTransaction {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly members: Members,
    private readonly audit: AuditLog,
    @Inject(OPERATOR_TENANT) private readonly operatorTenant: string,
  ) {}

  async run<Result>(
    userId: string,
    origin: AuditOrigin,
    work: (manager: EntityManager) => Promise<PersonChange<Result>>,
  ): Promise<Result> {
    // By id, so that two changes lock the heads of the logs in the same order.
    const memberships = await this.members.ofUser(userId);
    const ids = memberships.map(({ tenant_id }) => tenant_id);
    const concerned = ids.length > 0 ? ids : [this.operatorTenant];
    let change: PersonChange<Result> | undefined;
    const runs = await this.transaction.runEach(concerned, async (manager, tenant_id) => {
      change ??= await work(manager);
      if (change.line !== undefined) {
        await this.audit.append(manager, { tenant_id, ...origin, ...change.line });
      }
      return change.result;
    });
    // One run for each tenant, of which there is one.
    return runs[0] as Result;
  }
}
