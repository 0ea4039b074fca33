import { Global, Module } from '@nestjs/common';
import { HealthChecks } from '@soma/http';
import { ConfigUpdatesReader } from '@soma/messaging';
import { ConfigUpdatesRelay } from './config-updates-relay.ts';

/** Tells every process of Soma what it must let go, and hears of it here too. */
@Global()
@Module({
  providers: [ConfigUpdatesReader, ConfigUpdatesRelay],
  exports: [ConfigUpdatesReader],
})
export class ConfigUpdatesDeliveryModule {
  constructor(health: HealthChecks, reader: ConfigUpdatesReader) {
    // Before that it could take what is revoked for good.
    health.addReadiness('config_updates', () => reader.isCaughtUp);
  }
}
