import { type DynamicModule, Module } from '@nestjs/common';
import type { CatalogConfig } from '../catalog.config.ts';
import { InstallMcpServer } from './install-mcp-server.ts';
import { McpCatalogController } from './mcp-catalog.controller.ts';
import { McpChanges } from './mcp-changes.ts';
import { McpInstallations } from './mcp-installations.ts';
import { McpServersController } from './mcp-servers.controller.ts';
import { readOperatorServers } from './operator-servers.ts';
import { IS_CATALOG_ENABLED, OPERATOR_SERVERS, ReadMcpServers } from './read-mcp-servers.ts';
import { UninstallMcpServer } from './uninstall-mcp-server.ts';

/** The MCP servers of tenants. Without the catalog, those of the operator's file remain. */
@Module({})
export class McpModule {
  static configure(config: CatalogConfig): DynamicModule {
    const isEnabled = config.INTEGRATIONS_MCP_CATALOG_ENABLED;
    const file = config.INTEGRATIONS_MCP_CATALOG_SERVERS_FILE;
    return {
      module: McpModule,
      controllers: [McpServersController, ...(isEnabled ? [McpCatalogController] : [])],
      providers: [
        {
          provide: OPERATOR_SERVERS,
          useValue: file === undefined ? [] : readOperatorServers(file).servers,
        },
        { provide: IS_CATALOG_ENABLED, useValue: isEnabled },
        InstallMcpServer,
        McpChanges,
        McpInstallations,
        ReadMcpServers,
        UninstallMcpServer,
      ],
    };
  }
}
