import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import type { AuditReport } from '@soma/contracts';
import { AuditEvents, AuditOutbox, ConfigUpdates } from '@soma/messaging';
import type { EntityManager } from 'typeorm';

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

/** What every change of a connection tells others. */
@Injectable()
export class ConnectionChanges {
  constructor(
    private readonly updates: ConfigUpdates,
    private readonly audit: AuditOutbox,
    private readonly refusals: AuditEvents,
  ) {}

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
