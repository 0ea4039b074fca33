import { Controller, Get, UseInterceptors } from '@nestjs/common';
import { CurrentPrincipal, Internal } from '@soma/auth';
import type { Principal, TunnelStatus } from '@soma/contracts';
import { Undocumented } from '@soma/http';
import { FaultInterceptor } from '@soma/persistence';
import { ReadTunnel } from './read-tunnel.ts';

/** For those who tell the providers of webhooks where Soma is. */
@Internal()
@Undocumented()
@Controller('internal/v1/tunnel')
@UseInterceptors(FaultInterceptor)
export class InternalTunnelController {
  constructor(private readonly readTunnel: ReadTunnel) {}

  @Get()
  status(@CurrentPrincipal() { tenant_id }: Principal): Promise<TunnelStatus> {
    return this.readTunnel.execute(tenant_id);
  }
}
