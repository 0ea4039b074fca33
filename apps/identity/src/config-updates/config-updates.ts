import { Injectable } from '@nestjs/common';
import { ConfigUpdates as ServiceConfigUpdates } from '@soma/messaging';
import type { EntityManager } from 'typeorm';

/** What identity tells every process of Soma to let go of. */
@Injectable()
export class ConfigUpdates extends ServiceConfigUpdates {
  constructor() {
    super('identity');
  }

  /** Voids all tokens that the subject has now. */
  async revokeTokens(manager: EntityManager, tenantId: string, subject: string): Promise<void> {
    await this.append(manager, {
      tenant_id: tenantId,
      entity: 'principal',
      id: `${tenantId}:${subject}`,
      version: Math.floor(Date.now() / 1000),
      deleted: false,
    });
  }
}
