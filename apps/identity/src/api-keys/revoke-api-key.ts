import { Injectable } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import { TenantTransaction } from '@soma/persistence';
import { AuditLog } from '../audit/audit-log.ts';
import { ApiKeys } from './api-keys.ts';
import { KeyRevocations } from './key-revocations.ts';

/** Ends a key, and every token that it was exchanged for. */
@Injectable()
export class RevokeApiKey {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly keys: ApiKeys,
    private readonly revocations: KeyRevocations,
    private readonly audit: AuditLog,
  ) {}

  /**
   * A key that is revoked already stays as it is.
   *
   * @throws {@link Problem} 404 `api_key_not_found`
   */
  execute({ principal, origin }: Caller, keyId: string): Promise<void> {
    const { tenant_id } = principal;
    return this.transaction.run(tenant_id, async (manager) => {
      const { key_id, revoked_at } = await this.keys.lock(manager, tenant_id, keyId);
      if (revoked_at !== null) {
        return;
      }
      await this.revocations.revoke(manager, tenant_id, { keyId });
      await this.audit.append(manager, {
        ...origin,
        tenant_id,
        action: 'api_key.revoked',
        target: { type: 'api_key', id: key_id },
        outcome: 'success',
        details: {},
      });
    });
  }
}
