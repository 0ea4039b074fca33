import { Injectable } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import { TenantTransaction } from '@soma/persistence';
import { McpChanges } from './mcp-changes.ts';
import { McpInstallations } from './mcp-installations.ts';

/** Takes an MCP server away from a tenant's turns. */
@Injectable()
export class UninstallMcpServer {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly installations: McpInstallations,
    private readonly changes: McpChanges,
  ) {}

  /** What is not installed is gone already, also what the catalog does not have any more. */
  async execute(caller: Caller, entryId: string): Promise<void> {
    const { tenant_id } = caller.principal;
    await this.transaction.run(tenant_id, async (manager) => {
      const before = await this.installations.lock(manager, tenant_id, entryId);
      if (before === undefined) {
        return;
      }
      await this.installations.remove(manager, tenant_id, entryId);
      await this.changes.announce(manager, tenant_id, { before });
      await this.changes.record(manager, { caller, action: 'mcp_server.uninstalled', entryId });
    });
  }
}
