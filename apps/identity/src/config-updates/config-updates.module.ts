import { Global, Module } from '@nestjs/common';
import { HealthChecks } from '@soma/http';
import { ConfigUpdatesReader } from '@soma/messaging';
import { ConfigUpdatesRelay } from './config-updates-relay.ts';
import { ConfigUpdates } from './config-updates.ts';

/** Tells every process of Soma what has changed, and hears of it too. */
@Global()
@Module({
  providers: [ConfigUpdates, ConfigUpdatesReader, ConfigUpdatesRelay],
  exports: [ConfigUpdates, ConfigUpdatesReader],
})
export class ConfigUpdatesModule {
  constructor(health: HealthChecks, reader: ConfigUpdatesReader) {
    // Before that it could take what is revoked for good.
    health.addReadiness('config_updates', () => reader.isCaughtUp);
  }
}
