import { Injectable } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import type { CreateApiKeyRequest, CreatedApiKey } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { IdempotentWrites } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { AuditLog } from '../audit/audit-log.ts';
import { ServiceAccounts } from '../tenancy/service-accounts.ts';
import { ApiKeys } from './api-keys.ts';
import { assertOwnScopes } from './own-scopes.ts';

/** Makes a key for a program, and the account that it acts as where none is named. */
@Injectable()
export class CreateApiKey {
  constructor(
    private readonly writes: IdempotentWrites,
    private readonly keys: ApiKeys,
    private readonly accounts: ServiceAccounts,
    private readonly audit: AuditLog,
  ) {}

  /**
   * @throws {@link Problem} 403 `scope_exceeds_own`, 404 `service_account_not_found`, 422
   *   `expiry_passed`
   */
  execute(caller: Caller, request: CreateApiKeyRequest): Promise<CreatedApiKey> {
    const { tenant_id, subject } = caller.principal;
    assertOwnScopes(caller.principal, request.scopes);
    const write = { operation: 'POST /v1/api-keys', body: request };
    return this.writes.run(caller, write, async (manager) => {
      assertAhead(request.expires_at);
      const { name, scopes, expires_at } = request;
      const service_account_id = await this.accountFor(manager, caller, request);
      const use = { service_account_id, created_by: subject, rotated_from: null };
      const key = await this.keys.create(manager, tenant_id, { name, scopes, expires_at, ...use });
      await this.audit.append(manager, {
        ...caller.origin,
        tenant_id,
        action: 'api_key.created',
        target: { type: 'api_key', id: key.key_id },
        outcome: 'success',
        details: { name, service_account_id, scopes: scopes.join(' '), expires_at },
      });
      return key;
    });
  }

  private async accountFor(
    manager: EntityManager,
    { principal }: Caller,
    { service_account_id: wanted, name }: CreateApiKeyRequest,
  ): Promise<string> {
    const account =
      wanted === undefined
        ? await this.accounts.create(manager, principal, name)
        : await this.accounts.lock(manager, principal.tenant_id, wanted);
    return account.service_account_id;
  }
}

function assertAhead(expiresAt: string | null): void {
  if (expiresAt !== null && Date.parse(expiresAt) <= Date.now()) {
    throw new Problem({
      status: 422,
      code: 'expiry_passed',
      detail: 'The key would be void from the start. Choose an expires_at that is ahead.',
      fields: [{ path: 'expires_at', message: 'must be ahead' }],
    });
  }
}
