import { Injectable } from '@nestjs/common';
import { type ConfigChange, ConfigUpdates } from '@soma/messaging';
import type { EntityManager } from 'typeorm';
import { ApiKeys } from './api-keys.ts';

/** Ends keys so that every process refuses their tokens within a second. */
@Injectable()
export class KeyRevocations {
  constructor(
    private readonly keys: ApiKeys,
    private readonly updates: ConfigUpdates,
  ) {}

  /** One key, or all keys of a service account. */
  async revoke(
    manager: EntityManager,
    tenantId: string,
    which: { keyId: string } | { serviceAccountId: string },
  ): Promise<void> {
    const at = new Date();
    const ended = await this.keys.revoke(manager, tenantId, which);
    await this.updates.append(manager, ...ended.map((keyId) => endOf(tenantId, { keyId, at })));
  }

  /** Lets a key go on for a while. Its tokens end with it, also those that would last longer. */
  async endAt(
    manager: EntityManager,
    tenantId: string,
    { keyId, at }: { keyId: string; at: Date },
  ): Promise<void> {
    await this.keys.endAt(manager, tenantId, { key_id: keyId, at });
    await this.updates.append(manager, endOf(tenantId, { keyId, at }));
  }
}

function endOf(tenantId: string, { keyId, at }: { keyId: string; at: Date }): ConfigChange {
  return {
    tenant_id: tenantId,
    entity: 'api_key',
    id: `${tenantId}:${keyId}`,
    version: Date.now(),
    deleted: true,
    at,
  };
}
