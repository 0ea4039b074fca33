import { type DynamicModule, Module } from '@nestjs/common';
import type { CatalogConfig } from '../catalog.config.ts';
import { InternalTunnelController } from './internal-tunnel.controller.ts';
import { OperatorRule } from './operator-rule.ts';
import { ReadTunnel } from './read-tunnel.ts';
import { StartTunnel } from './start-tunnel.ts';
import { StopTunnel } from './stop-tunnel.ts';
import { TunnelLeases } from './tunnel-leases.ts';
import { TunnelOwner } from './tunnel-owner.ts';
import { configuredProviders, TUNNEL_PROVIDERS } from './tunnel-providers.ts';
import { TunnelController } from './tunnel.controller.ts';

/** The tunnel from the internet. Its routes are there for partners only where it is turned on. */
@Module({})
export class TunnelModule {
  static configure(config: CatalogConfig): DynamicModule {
    const common = { module: TunnelModule, providers: [ReadTunnel, TunnelLeases] };
    if (!config.INTEGRATIONS_TUNNEL_ENABLED) {
      return { ...common, controllers: [InternalTunnelController] };
    }
    return {
      ...common,
      controllers: [InternalTunnelController, TunnelController],
      providers: [
        ...common.providers,
        { provide: OperatorRule, useFactory: () => new OperatorRule(config) },
        { provide: TUNNEL_PROVIDERS, useFactory: () => configuredProviders(config) },
        StartTunnel,
        StopTunnel,
        TunnelOwner,
      ],
    };
  }
}
