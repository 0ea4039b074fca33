import { Controller, Get, UseInterceptors } from '@nestjs/common';
import { CurrentPrincipal, Internal } from '@soma/auth';
import type { McpServerList, Principal } from '@soma/contracts';
import { Undocumented } from '@soma/http';
import { FaultInterceptor } from '@soma/persistence';
import { ReadMcpServers } from './read-mcp-servers.ts';

/** What other services may use for a tenant. They ask again after `config.updates`. */
@Internal()
@Undocumented()
@Controller('internal/v1/mcp/servers')
@UseInterceptors(FaultInterceptor)
export class McpServersController {
  constructor(private readonly read: ReadMcpServers) {}

  @Get()
  async list(@CurrentPrincipal() { tenant_id }: Principal): Promise<McpServerList> {
    return { tenant_id, servers: await this.read.effective(tenant_id) };
  }
}
