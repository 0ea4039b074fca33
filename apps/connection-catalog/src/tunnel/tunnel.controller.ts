import { Body, Controller, Get, HttpCode, Post, UseInterceptors } from '@nestjs/common';
import { Access, type Caller, CurrentCaller, CurrentPrincipal } from '@soma/auth';
import {
  type Principal,
  type StartTunnelRequest,
  startTunnelRequest,
  type TunnelStatus,
  tunnelStatus,
} from '@soma/contracts';
import { Operation } from '@soma/http';
import { FaultInterceptor } from '@soma/persistence';
import { ReadTunnel } from './read-tunnel.ts';
import { StartTunnel } from './start-tunnel.ts';
import { StopTunnel } from './stop-tunnel.ts';

const unavailable = ['database_unavailable'];

/** The tunnel by which the internet reaches a Soma that has no address there. */
@Controller('api/v1/integrations/tunnel')
@UseInterceptors(FaultInterceptor)
export class TunnelController {
  constructor(
    private readonly readTunnel: ReadTunnel,
    private readonly startTunnel: StartTunnel,
    private readonly stopTunnel: StopTunnel,
  ) {}

  @Get('status')
  @Access({ scope: 'connections:read', resource: 'connection' })
  @Operation({
    summary: 'Look whether there is a tunnel',
    description: 'Its `public_url` is what providers of webhooks are told.',
    answer: tunnelStatus,
    problems: { 503: unavailable },
  })
  status(@CurrentPrincipal() { tenant_id }: Principal): Promise<TunnelStatus> {
    return this.readTunnel.execute(tenant_id);
  }

  @Post('start')
  @HttpCode(200)
  @Access({ scope: 'connections:write', resource: 'connection' })
  @Operation({
    summary: 'Open a tunnel from the internet',
    description:
      'There is one at a time. These routes are there only where the operator has turned tunnels ' +
      'on (`INTEGRATIONS_TUNNEL_ENABLED`); outside of development the operator alone may use them.',
    bodyExample: { provider: 'cloudflare' },
    answer: tunnelStatus,
    problems: {
      403: ['operator_required'],
      409: ['tunnel_exists'],
      422: ['tunnel_provider_not_configured'],
      502: ['tunnel_failed'],
      503: unavailable,
    },
  })
  start(
    @CurrentCaller() caller: Caller,
    @Body({ schema: startTunnelRequest }) { provider }: StartTunnelRequest,
  ): Promise<TunnelStatus> {
    return this.startTunnel.execute(caller, provider);
  }

  @Post('stop')
  @HttpCode(200)
  @Access({ scope: 'connections:write', resource: 'connection' })
  @Operation({
    summary: 'Close the tunnel',
    description: 'It is closed when this answers. Where there is none, it is closed already.',
    answer: tunnelStatus,
    problems: { 403: ['operator_required'], 503: ['tunnel_stopping', ...unavailable] },
  })
  stop(@CurrentCaller() caller: Caller): Promise<TunnelStatus> {
    return this.stopTunnel.execute(caller);
  }
}
