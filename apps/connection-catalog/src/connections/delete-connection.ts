import { Injectable } from '@nestjs/common';
import { assertVersion, type Caller } from '@soma/auth';
import { Problem } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { oauthSecretFields } from '../oauth/grants/token-secrets.ts';
import { ConnectionChanges } from './connection-changes.ts';
import type { ConnectionRow } from './connection-row.ts';
import { ConnectionUsages } from './connection-usages.ts';
import { ConnectionsRepository } from './connections.repository.ts';
import { CredentialChanges } from './credential-changes.ts';

/** How many of what uses a connection a refusal names. */
const USAGES_NAMED = 5;

/** Removes a connection and its credentials. */
@Injectable()
export class DeleteConnection {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: ConnectionsRepository,
    private readonly usages: ConnectionUsages,
    private readonly credentials: CredentialChanges,
    private readonly changes: ConnectionChanges,
  ) {}

  /**
   * @param which - `force`: also while something depends on it.
   * @throws {@link Problem} 404 `connection_not_found`, 409 `connection_in_use`, 412
   *   `version_mismatch`
   */
  async execute(caller: Caller, which: { name: string; force: boolean }): Promise<void> {
    const { tenant_id } = caller.principal;
    await this.transaction.run(tenant_id, async (manager) => {
      const row = await this.connections.lock(manager, tenant_id, which.name);
      assertVersion(caller, row.version);
      if (!which.force) {
        await this.assertUnused(manager, tenant_id, row);
      }
      await this.remove(manager, tenant_id, row);
      await this.changes.record(manager, {
        origin: caller.origin,
        tenantId: tenant_id,
        action: 'connection.deleted',
        name: which.name,
        details: { force: which.force },
      });
    });
  }

  private async remove(
    manager: EntityManager,
    tenantId: string,
    row: ConnectionRow,
  ): Promise<void> {
    const removed = [...Object.keys(row.credentials), ...oauthSecretFields];
    const change = { written: new Map(), removed };
    await this.credentials.apply(manager, { tenant_id: tenantId, ...row }, change);
    // Before what uses it goes with it.
    const version = row.version + 1;
    await this.changes.announce(manager, tenantId, { ...row, version, deleted: true });
    await this.connections.remove(manager, tenantId, row.connection_id);
  }

  private async assertUnused(
    manager: EntityManager,
    tenantId: string,
    row: ConnectionRow,
  ): Promise<void> {
    const usages = await this.usages.list(manager, tenantId, row.connection_id);
    if (usages.length > 0) {
      const named = usages.slice(0, USAGES_NAMED).map(({ used_by, id }) => `${used_by} ${id}`);
      const more = usages.length > named.length ? ` and ${usages.length - named.length} more` : '';
      throw new Problem({
        status: 409,
        code: 'connection_in_use',
        detail: `It is used by ${named.join(', ')}${more}. Change those first, or repeat with ?force=true.`,
      });
    }
  }
}
