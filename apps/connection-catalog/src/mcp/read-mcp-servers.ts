import { Inject, Injectable } from '@nestjs/common';
import type { McpInstallation, McpServer } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { findEntry } from './catalog-entries.ts';
import { mergeInstalledServers, toServer } from './effective-servers.ts';
import { toInstallation } from './installation.mapper.ts';
import { type InstallationRow, McpInstallations } from './mcp-installations.ts';

/** Under this token are the servers of the operator's own file. */
export const OPERATOR_SERVERS = Symbol('OPERATOR_SERVERS');
/** Under this token is whether tenants may use the catalog. */
export const IS_CATALOG_ENABLED = Symbol('IS_CATALOG_ENABLED');

/** Which MCP servers a tenant has. It is read anew each time, so an installation counts at once. */
@Injectable()
export class ReadMcpServers {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly installations: McpInstallations,
    @Inject(OPERATOR_SERVERS) private readonly operators: readonly McpServer[],
    @Inject(IS_CATALOG_ENABLED) private readonly isCatalogEnabled: boolean,
  ) {}

  async installed(tenantId: string): Promise<McpInstallation[]> {
    const rows = await this.transaction.run(tenantId, (manager) =>
      this.installations.list(manager, tenantId),
    );
    return rows.map(toInstallation);
  }

  /** What the tenant's turns may use. */
  async effective(tenantId: string): Promise<McpServer[]> {
    return this.transaction.run(tenantId, async (manager) => {
      const rows = this.isCatalogEnabled ? await this.installations.list(manager, tenantId) : [];
      const operators = await this.operatorsFor(manager, tenantId);
      return mergeInstalledServers(operators, rows.filter(isReady).map(installedServer));
    });
  }

  /** A server that refers to a connection is there for tenants that have one of that name. */
  private async operatorsFor(manager: EntityManager, tenantId: string): Promise<McpServer[]> {
    const names = this.operators.flatMap(connectionsOf);
    const there = await this.installations.connectionsNamed(manager, tenantId, names);
    return this.operators.filter((server) =>
      connectionsOf(server).every((name) => there.has(name)),
    );
  }
}

function connectionsOf({ references }: McpServer): string[] {
  return references.map(({ connection }) => connection);
}

function isReady(row: InstallationRow): boolean {
  return toInstallation(row).status === 'ready';
}

function installedServer({ entry_id, connection }: InstallationRow): McpServer {
  return toServer(findEntry(entry_id), connection);
}
