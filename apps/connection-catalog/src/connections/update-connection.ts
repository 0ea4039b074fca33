import { Injectable } from '@nestjs/common';
import { assertVersion, type Caller } from '@soma/auth';
import type { Connection, UpdateConnectionRequest } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { ConnectionTypes } from '../connection-types/connection-types.ts';
import { ConnectionChanges } from './connection-changes.ts';
import { changedFields, type FieldChange } from './connection-fields.ts';
import { type ConnectionRow, toConnection } from './connection-row.ts';
import { ConnectionsRepository } from './connections.repository.ts';

/** What is to be changed of which connection. */
export interface ConnectionUpdate extends UpdateConnectionRequest {
  name: string;
}

/** Changes fields of a connection, or exchanges one of its credentials. */
@Injectable()
export class UpdateConnection {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: ConnectionsRepository,
    private readonly types: ConnectionTypes,
    private readonly changes: ConnectionChanges,
  ) {}

  /**
   * @throws {@link Problem} 400 `invalid_request`, 404 `connection_not_found`, 412
   *   `version_mismatch`, 422 `connection_type_gone`
   */
  async execute(caller: Caller, update: ConnectionUpdate): Promise<Connection> {
    const { tenant_id } = caller.principal;
    const { row, change } = await this.transaction.run(tenant_id, async (manager) => {
      const { row, change } = await this.change(manager, caller, update);
      await this.changes.record(manager, {
        origin: caller.origin,
        tenantId: tenant_id,
        action: 'connection.updated',
        name: row.name,
        details: {
          version: row.version,
          // Names of fields alone.
          credentials_set: [...change.written.keys()].join(' '),
          credentials_removed: change.removed.join(' '),
        },
      });
      return { row, change };
    });
    await this.changes.forgetRemoved(tenant_id, row.connection_id, change.removed);
    return toConnection(row, this.types.find(row.type));
  }

  private async change(
    manager: EntityManager,
    caller: Caller,
    { name, fields = {}, rate_limit_rpm }: ConnectionUpdate,
  ): Promise<{ row: ConnectionRow; change: FieldChange }> {
    const { tenant_id } = caller.principal;
    const current = await this.connections.lock(manager, tenant_id, name);
    assertVersion(caller, current.version);
    const set = new Set(Object.keys(current.credentials));
    const change = changedFields(
      this.types.get(current.type),
      { plain: current.fields, set },
      fields,
    );
    const row = await this.connections.update(manager, tenant_id, {
      connection_id: current.connection_id,
      fields: { ...change.plain },
      credentials: await this.changes.applySecrets(manager, { tenant_id, ...current }, change),
      rate_limit_rpm: rate_limit_rpm === undefined ? current.rate_limit_rpm : rate_limit_rpm,
    });
    await this.changes.announce(manager, tenant_id, row);
    return { row, change };
  }
}
