import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import type { AuditReport } from '@soma/contracts';
import { AuditEvents, AuditOutbox, ConfigUpdates } from '@soma/messaging';
import type { EntityManager } from 'typeorm';
import { ConnectionUsages, MCP_INSTALLATION } from './connection-usages.ts';

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

/** A connection at the version that a change made, or from which on it is gone. */
interface ChangedConnection {
  connection_id: string;
  name: string;
  version: number;
  deleted?: boolean;
}

/** What every change of a connection tells others. */
@Injectable()
export class ConnectionChanges {
  constructor(
    private readonly usages: ConnectionUsages,
    private readonly updates: ConfigUpdates,
    private readonly audit: AuditOutbox,
    private readonly refusals: AuditEvents,
  ) {}

  /**
   * Has every process let go of what it holds of the connection, and ask anew which MCP servers there
   * are where one uses it: a change may make it unfit.
   */
  async announce(
    manager: EntityManager,
    tenantId: string,
    { connection_id, name, version, deleted = false }: ChangedConnection,
  ): Promise<void> {
    await this.append(manager, tenantId, { id: name, version, deleted });
    const usages = await this.usages.list(manager, tenantId, connection_id);
    if (usages.some(({ used_by }) => used_by === MCP_INSTALLATION)) {
      await this.announceMcpServers(manager, tenantId);
    }
  }

  /** Has every process ask anew which MCP servers the tenant has. */
  async announceMcpServers(manager: EntityManager, tenantId: string): Promise<void> {
    await this.append(manager, tenantId, { id: 'mcp_servers', version: 1, deleted: false });
  }

  private async append(
    manager: EntityManager,
    tenantId: string,
    { id, ...update }: { id: string; version: number; deleted: boolean },
  ): Promise<void> {
    await this.updates.append(manager, {
      tenant_id: tenantId,
      entity: 'connection',
      id: `${tenantId}:${id}`,
      ...update,
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
