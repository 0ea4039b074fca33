import { Injectable } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import type { ApiKey, CreatedApiKey, RotateApiKeyRequest } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { IdempotentWrites } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { AuditLog } from '../audit/audit-log.ts';
import { ApiKeys } from './api-keys.ts';
import { KeyRevocations } from './key-revocations.ts';
import { assertOwnScopes } from './own-scopes.ts';

/** What is to be replaced, and how long both keys are good. */
export interface Rotation extends RotateApiKeyRequest {
  keyId: string;
}

/** Replaces a key by a new one of the same rights; for a while both are good. */
@Injectable()
export class RotateApiKey {
  constructor(
    private readonly writes: IdempotentWrites,
    private readonly keys: ApiKeys,
    private readonly revocations: KeyRevocations,
    private readonly audit: AuditLog,
  ) {}

  /**
   * @throws {@link Problem} 403 `scope_exceeds_own`, 404 `api_key_not_found`, 409 `api_key_ended`
   */
  execute(caller: Caller, { keyId, overlap_seconds }: Rotation): Promise<CreatedApiKey> {
    const { tenant_id, subject } = caller.principal;
    const operation = `POST /v1/api-keys/${keyId}/rotate`;
    return this.writes.run(caller, { operation, body: { overlap_seconds } }, async (manager) => {
      const old = await this.keys.lock(manager, tenant_id, keyId);
      assertGood(old);
      // Whoever rotates a key holds the new one.
      assertOwnScopes(caller.principal, old.scopes);
      const { name, scopes, service_account_id, expires_at } = old;
      const same = { name, scopes, service_account_id, expires_at };
      const made = { created_by: subject, rotated_from: old.key_id };
      const key = await this.keys.create(manager, tenant_id, { ...same, ...made });
      await this.end(manager, tenant_id, { keyId: old.key_id, overlap_seconds });
      await this.audit.append(manager, {
        ...caller.origin,
        tenant_id,
        action: 'api_key.rotated',
        target: { type: 'api_key', id: old.key_id },
        outcome: 'success',
        details: { replaced_by: key.key_id, overlap_seconds },
      });
      return key;
    });
  }

  private async end(
    manager: EntityManager,
    tenantId: string,
    { keyId, overlap_seconds }: Rotation,
  ): Promise<void> {
    if (overlap_seconds === 0) {
      await this.revocations.revoke(manager, tenantId, { keyId });
    } else {
      const at = new Date(Date.now() + overlap_seconds * 1000);
      await this.revocations.endAt(manager, tenantId, { keyId, at });
    }
  }
}

function assertGood({ key_id, revoked_at, expires_at }: ApiKey): void {
  const isOver = expires_at !== null && Date.parse(expires_at) <= Date.now();
  if (revoked_at !== null || isOver) {
    throw new Problem({
      status: 409,
      code: 'api_key_ended',
      detail: `The API key "${key_id}" is not good any more. Create a new one.`,
    });
  }
}
