import { type DynamicModule, Module } from '@nestjs/common';
import { SweepTransaction } from '@soma/persistence';
import { CoalescingProducer } from '../coalescing-producer.ts';
import { ConfigUpdatesRelay } from './config-updates-relay.ts';
import { ConfigUpdates } from './config-updates.ts';

/** Tells every process of Soma what it must let go of a service's own. */
@Module({})
export class ConfigUpdatesModule {
  /** @param schema - The service's own, which has the table `config_updates`. */
  static of(schema: string): DynamicModule {
    return {
      module: ConfigUpdatesModule,
      global: true,
      providers: [
        { provide: ConfigUpdates, useFactory: () => new ConfigUpdates(schema) },
        {
          provide: ConfigUpdatesRelay,
          inject: [SweepTransaction, CoalescingProducer],
          useFactory: (sweep: SweepTransaction, producer: CoalescingProducer) =>
            new ConfigUpdatesRelay(schema, sweep, producer),
        },
      ],
      exports: [ConfigUpdates],
    };
  }
}
