import { Injectable } from '@nestjs/common';
import { assertVersion, type Caller } from '@soma/auth';
import type { ServiceAccount, ServiceAccountRequest } from '@soma/contracts';
import { IdempotentWrites, TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { KeyRevocations } from '../api-keys/key-revocations.ts';
import { AuditLog } from '../audit/audit-log.ts';
import { ServiceAccounts } from './service-accounts.ts';

/** Adds, renames and removes the programs of the caller's tenant. */
@Injectable()
export class ChangeServiceAccounts {
  constructor(
    private readonly writes: IdempotentWrites,
    private readonly transaction: TenantTransaction,
    private readonly accounts: ServiceAccounts,
    private readonly keys: KeyRevocations,
    private readonly audit: AuditLog,
  ) {}

  /** @throws {@link Problem} 404 `tenant_not_found`, 409 `idempotency_conflict` */
  create(caller: Caller, request: ServiceAccountRequest): Promise<ServiceAccount> {
    const write = { operation: 'POST /v1/members/service-accounts', body: request };
    return this.writes.run(caller, write, async (manager) => {
      const account = await this.accounts.create(manager, caller.principal, request.name);
      await this.record(manager, caller, { action: 'created', account });
      return account;
    });
  }

  /** @throws {@link Problem} 404 `service_account_not_found`, 412 `version_mismatch` */
  rename(caller: Caller, { id, name }: { id: string; name: string }): Promise<ServiceAccount> {
    const { tenant_id } = caller.principal;
    return this.transaction.run(tenant_id, async (manager) => {
      const before = await this.accounts.lock(manager, tenant_id, id);
      assertVersion(caller, before.version);
      const account = await this.accounts.rename(manager, tenant_id, { id, name });
      await this.record(manager, caller, { action: 'renamed', account });
      return account;
    });
  }

  /**
   * Its keys are revoked with it.
   *
   * @throws {@link Problem} 404 `service_account_not_found`, 412 `version_mismatch`
   */
  remove(caller: Caller, id: string): Promise<void> {
    const { tenant_id } = caller.principal;
    return this.transaction.run(tenant_id, async (manager) => {
      const account = await this.accounts.lock(manager, tenant_id, id);
      assertVersion(caller, account.version);
      await this.keys.revoke(manager, tenant_id, { serviceAccountId: account.service_account_id });
      await this.accounts.remove(manager, tenant_id, account.service_account_id);
      await this.record(manager, caller, { action: 'removed', account });
    });
  }

  private record(
    manager: EntityManager,
    { principal, origin }: Caller,
    { action, account }: { action: 'created' | 'renamed' | 'removed'; account: ServiceAccount },
  ): Promise<void> {
    return this.audit.append(manager, {
      ...origin,
      tenant_id: principal.tenant_id,
      action: `service_account.${action}`,
      target: { type: 'service_account', id: account.service_account_id },
      outcome: 'success',
      details: { name: account.name },
    });
  }
}
