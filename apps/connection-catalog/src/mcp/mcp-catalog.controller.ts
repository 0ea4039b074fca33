import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Post,
  Query,
  UseInterceptors,
} from '@nestjs/common';
import { Access, type Caller, CurrentCaller, CurrentPrincipal } from '@soma/auth';
import {
  clientIdentifier,
  type InstallMcpServerRequest,
  installMcpServerRequest,
  type McpCatalog,
  mcpCatalog,
  type McpCatalogEntry,
  mcpCatalogEntry,
  type McpCatalogSearch,
  mcpCatalogSearch,
  type McpInstallation,
  mcpInstallation,
  type McpInstallationList,
  mcpInstallationList,
  type Principal,
} from '@soma/contracts';
import { Operation } from '@soma/http';
import { FaultInterceptor } from '@soma/persistence';
import { catalogEntries, findEntry, searchEntries } from './catalog-entries.ts';
import { InstallMcpServer } from './install-mcp-server.ts';
import { ReadMcpServers } from './read-mcp-servers.ts';
import { UninstallMcpServer } from './uninstall-mcp-server.ts';

const unavailable = { 503: ['database_unavailable'] };

/** The MCP servers that a tenant can install, and has installed. */
@Controller('api/v1/integrations/mcp/catalog')
@UseInterceptors(FaultInterceptor)
export class McpCatalogController {
  constructor(
    private readonly read: ReadMcpServers,
    private readonly installServer: InstallMcpServer,
    private readonly uninstallServer: UninstallMcpServer,
  ) {}

  @Get()
  @Access({ scope: 'connections:read', resource: 'connection' })
  @Operation({
    summary: 'List the MCP servers that can be installed',
    description:
      'Each with its pinned package or its address, and with what it needs of a connection.',
    answer: mcpCatalog,
  })
  list(): McpCatalog {
    return { entries: [...catalogEntries] };
  }

  @Get('search')
  @Access({ scope: 'connections:read', resource: 'connection' })
  @Operation({
    summary: 'Search the catalog of MCP servers',
    description: 'Every word must be somewhere: in the name, the description or a tool.',
    answer: mcpCatalog,
  })
  search(@Query({ schema: mcpCatalogSearch }) { q }: McpCatalogSearch): McpCatalog {
    return { entries: searchEntries(q) };
  }

  @Get('installed')
  @Access({ scope: 'connections:read', resource: 'connection' })
  @Operation({
    summary: 'List the MCP servers that are installed',
    answer: mcpInstallationList,
    problems: unavailable,
  })
  async listInstalled(@CurrentPrincipal() { tenant_id }: Principal): Promise<McpInstallationList> {
    return { installations: await this.read.installed(tenant_id) };
  }

  @Post('install')
  @Access({ scope: 'connections:write', resource: 'connection' })
  @Operation({
    summary: 'Install an MCP server',
    description:
      'A repeat answers the same and changes nothing, so no `Idempotency-Key` is needed. With ' +
      'another connection it takes that one from then on.',
    bodyExample: { catalog_entry_id: 'github', connection_name: 'our-github' },
    answer: mcpInstallation,
    problems: {
      404: ['mcp_entry_not_found', 'connection_not_found'],
      422: ['connection_required', 'connection_not_used', 'connection_unfit'],
      ...unavailable,
    },
  })
  install(
    @CurrentCaller() caller: Caller,
    @Body({ schema: installMcpServerRequest }) request: InstallMcpServerRequest,
  ): Promise<McpInstallation> {
    return this.installServer.execute(caller, request);
  }

  @Delete('install/:id')
  @HttpCode(204)
  @Access({ scope: 'connections:write', resource: 'connection' })
  @Operation({
    summary: 'Remove an MCP server',
    description: 'What is not installed is removed already.',
    problems: unavailable,
  })
  uninstall(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: clientIdentifier }) id: string,
  ): Promise<void> {
    return this.uninstallServer.execute(caller, id);
  }

  @Get(':id')
  @Access({ scope: 'connections:read', resource: 'connection' })
  @Operation({
    summary: 'Look an MCP server of the catalog up',
    answer: mcpCatalogEntry,
    problems: { 404: ['mcp_entry_not_found'] },
  })
  find(@Param('id', { schema: clientIdentifier }) id: string): McpCatalogEntry {
    return findEntry(id);
  }
}
