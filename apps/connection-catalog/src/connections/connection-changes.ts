import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import type { AuditReport } from '@soma/contracts';
import { AuditEvents, AuditOutbox, ConfigUpdates } from '@soma/messaging';
import { TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { ConnectionSecrets } from '../secrets/connection-secrets.ts';
import type { FieldChange } from './connection-fields.ts';
import type { ConnectionRow, SetCredential } from './connection-row.ts';
import { ConnectionsRepository } from './connections.repository.ts';

/** What happened to a connection, for the audit log. */
export interface ConnectionEvent {
  origin: AuditOrigin;
  tenantId: string;
  /** As in `connection.created`. */
  action: string;
  name: string;
  outcome?: AuditReport['outcome'];
  details?: AuditReport['details'];
}

/** What every change of a connection does besides changing its row. */
@Injectable()
export class ConnectionChanges {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: ConnectionsRepository,
    private readonly secrets: ConnectionSecrets,
    private readonly updates: ConfigUpdates,
    private readonly audit: AuditOutbox,
    private readonly refusals: AuditEvents,
  ) {}

  /** Writes and removes credentials, and answers which are set then. */
  async applySecrets(
    manager: EntityManager,
    connection: Pick<ConnectionRow, 'connection_id' | 'credentials'> & { tenant_id: string },
    change: Pick<FieldChange, 'written' | 'removed'>,
  ): Promise<Record<string, SetCredential>> {
    const backend = this.secrets.within(manager);
    const location = { tenantId: connection.tenant_id, connection: connection.connection_id };
    const credentials = new Map(Object.entries(connection.credentials));
    for (const [field, value] of change.written) {
      const version = await backend.write({ ...location, field }, value);
      credentials.set(field, { version, changed_at: new Date().toISOString() });
    }
    for (const field of change.removed) {
      if (this.secrets.isTransactional) {
        await backend.delete({ ...location, field });
      }
      credentials.delete(field);
    }
    return Object.fromEntries(credentials);
  }

  /**
   * Deletes credentials that were removed, where they are kept elsewhere: only once their removal is
   * committed, and under the lock of the row, so that none is deleted that was set again meanwhile.
   */
  async forgetRemoved(
    tenantId: string,
    connectionId: string,
    fields: readonly string[],
  ): Promise<void> {
    const { backend, isTransactional } = this.secrets;
    if (isTransactional || fields.length === 0) {
      return;
    }
    await this.transaction.run(tenantId, async (manager) => {
      const set = await this.connections.lockCredentials(manager, tenantId, connectionId);
      for (const field of fields.filter((each) => !set.has(each))) {
        await backend.delete({ tenantId, connection: connectionId, field });
      }
    });
  }

  /** Has every process let go of what it holds of the connection. */
  async announce(
    manager: EntityManager,
    tenantId: string,
    { name, version, deleted = false }: { name: string; version: number; deleted?: boolean },
  ): Promise<void> {
    await this.updates.append(manager, {
      tenant_id: tenantId,
      entity: 'connection',
      id: `${tenantId}:${name}`,
      version,
      deleted,
    });
  }

  /** Has the audit log tell of it if, and only if, the transaction commits. */
  async record(manager: EntityManager, event: ConnectionEvent): Promise<void> {
    await this.audit.append(manager, toReport(event));
  }

  /** Tells the audit log of what was refused, and so changed nothing. */
  reportRefusal(event: ConnectionEvent): void {
    this.refusals.record(toReport(event));
  }
}

function toReport({
  origin,
  tenantId,
  action,
  name,
  outcome = 'success',
  details = {},
}: ConnectionEvent): AuditReport {
  return {
    ...origin,
    tenant_id: tenantId,
    action,
    target: { type: 'connection', id: name },
    outcome,
    details,
  };
}
