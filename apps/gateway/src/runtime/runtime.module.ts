import { type DynamicModule, Module } from '@nestjs/common';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';
import { AdminTrail } from './admin-trail.ts';
import { GatewayHealth } from './gateway-health.ts';
import { RetentionSweep } from './retention-sweep.ts';

/** What runs beside the requests, and the settings for all of the app. */
@Module({})
export class RuntimeModule {
  static configure(config: GatewayConfig): DynamicModule {
    return {
      module: RuntimeModule,
      global: true,
      providers: [
        { provide: GATEWAY_CONFIG, useValue: config },
        AdminTrail,
        GatewayHealth,
        RetentionSweep,
      ],
      exports: [AdminTrail, GATEWAY_CONFIG],
    };
  }
}
