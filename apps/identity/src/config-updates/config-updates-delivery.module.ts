import { Global, Module } from '@nestjs/common';
import { ConfigUpdatesReader } from '@soma/messaging';
import { ConfigUpdatesRelay } from './config-updates-relay.ts';

/** Tells every process of Soma what it must let go, and hears of it here too. */
@Global()
@Module({
  providers: [ConfigUpdatesReader, ConfigUpdatesRelay],
  exports: [ConfigUpdatesReader],
})
export class ConfigUpdatesDeliveryModule {}
