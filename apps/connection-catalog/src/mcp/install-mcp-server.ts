import { Injectable } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import type { InstallMcpServerRequest, McpCatalogEntry, McpInstallation } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { ConnectionsRepository } from '../connections/connections.repository.ts';
import { findEntry } from './catalog-entries.ts';
import { assertFits } from './fitting-connection.ts';
import { toInstallation } from './installation.mapper.ts';
import { McpChanges } from './mcp-changes.ts';
import { type InstallationRow, McpInstallations } from './mcp-installations.ts';

/** Lets a tenant's turns use an MCP server of the catalog. */
@Injectable()
export class InstallMcpServer {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly installations: McpInstallations,
    private readonly connections: ConnectionsRepository,
    private readonly changes: McpChanges,
  ) {}

  /**
   * A repeat changes nothing; another connection takes the place of the one before.
   *
   * @throws {@link Problem} 404 `mcp_entry_not_found` or `connection_not_found`, 422
   *   `connection_required`, `connection_not_used` or `connection_unfit`
   */
  async execute(caller: Caller, request: InstallMcpServerRequest): Promise<McpInstallation> {
    const { tenant_id, subject } = caller.principal;
    const entry = findEntry(request.catalog_entry_id);
    const installed = await this.transaction.run(tenant_id, async (manager) => {
      const before = await this.installations.lock(manager, tenant_id, entry.entry_id);
      const connectionId = await this.fittingConnection(manager, tenant_id, {
        entry,
        name: request.connection_name,
      });
      if (before?.connection_id === connectionId) {
        return before;
      }
      const wanted = { ...entry, connection_id: connectionId, installed_by: subject };
      await this.installations.save(manager, tenant_id, wanted);
      await this.changes.announce(manager, tenant_id, { before, after: wanted });
      const after = await this.saved(manager, tenant_id, entry.entry_id);
      await this.changes.record(manager, {
        ...{ caller, action: 'mcp_server.installed', entryId: entry.entry_id },
        details: { connection_name: after.connection?.name ?? null },
      });
      return after;
    });
    return toInstallation(installed);
  }

  /** The id of the connection, which stays until this transaction ends. */
  private async fittingConnection(
    manager: EntityManager,
    tenantId: string,
    { entry, name }: { entry: McpCatalogEntry; name: string | undefined },
  ): Promise<string | null> {
    const connection =
      name === undefined ? undefined : await this.connections.lock(manager, tenantId, name);
    assertFits(entry, connection);
    return connection?.connection_id ?? null;
  }

  private async saved(
    manager: EntityManager,
    tenantId: string,
    entryId: string,
  ): Promise<InstallationRow> {
    const row = await this.installations.find(manager, tenantId, entryId);
    if (row === undefined) {
      throw new Error('The installation that was just written is not there.');
    }
    return row;
  }
}
