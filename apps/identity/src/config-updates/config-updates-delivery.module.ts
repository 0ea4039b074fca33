import { Global, Module } from '@nestjs/common';
import { CoalescingProducer, ConfigUpdatesReader, ConfigUpdatesRelay } from '@soma/messaging';
import { SweepTransaction } from '@soma/persistence';

/** Tells every process of Soma what it must let go, and hears of it here too. */
@Global()
@Module({
  providers: [
    ConfigUpdatesReader,
    {
      provide: ConfigUpdatesRelay,
      inject: [SweepTransaction, CoalescingProducer],
      useFactory: (sweep: SweepTransaction, producer: CoalescingProducer) =>
        new ConfigUpdatesRelay('identity', sweep, producer),
    },
  ],
  exports: [ConfigUpdatesReader],
})
export class ConfigUpdatesDeliveryModule {}
