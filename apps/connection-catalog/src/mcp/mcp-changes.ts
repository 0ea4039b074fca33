import { Injectable } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import type { AuditReport } from '@soma/contracts';
import { AuditOutbox } from '@soma/messaging';
import type { EntityManager } from 'typeorm';
import { ConnectionChanges } from '../connections/connection-changes.ts';
import {
  ConnectionUsages,
  MCP_INSTALLATION,
  type UsageKey,
} from '../connections/connection-usages.ts';
import type { InstallationRow } from './mcp-installations.ts';

type Using = Pick<InstallationRow, 'entry_id' | 'connection_id'>;

/** What happened, for the audit log. */
export interface McpEvent {
  caller: Caller;
  /** As in `mcp_server.installed`. */
  action: string;
  entryId: string;
  details?: AuditReport['details'];
}

/** What every change of a tenant's MCP servers does besides changing its row. */
@Injectable()
export class McpChanges {
  constructor(
    private readonly usages: ConnectionUsages,
    private readonly changes: ConnectionChanges,
    private readonly audit: AuditOutbox,
  ) {}

  /**
   * Notes which connection is used now, so that it is not deleted unawares, and has every process
   * ask anew which servers there are.
   */
  async announce(
    manager: EntityManager,
    tenantId: string,
    { before, after }: { before?: Using | undefined; after?: Using },
  ): Promise<void> {
    for (const usage of usagesOf(before)) await this.usages.remove(manager, tenantId, usage);
    for (const usage of usagesOf(after)) await this.usages.add(manager, tenantId, usage);
    await this.changes.announceMcpServers(manager, tenantId);
  }

  /** Has the audit log tell of it if, and only if, the transaction commits. */
  async record(
    manager: EntityManager,
    { caller: { principal, origin }, action, entryId, details = {} }: McpEvent,
  ): Promise<void> {
    await this.audit.append(manager, {
      ...origin,
      tenant_id: principal.tenant_id,
      action,
      target: { type: 'mcp_server', id: entryId },
      outcome: 'success',
      details,
    });
  }
}

function usagesOf(using: Using | undefined): UsageKey[] {
  const connectionId = using?.connection_id ?? null;
  return using === undefined || connectionId === null
    ? []
    : [{ connectionId, usedBy: MCP_INSTALLATION, userId: using.entry_id }];
}
