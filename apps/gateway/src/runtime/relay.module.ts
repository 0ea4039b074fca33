import { type DynamicModule, Module } from '@nestjs/common';
import { CoalescingProducer, Relay } from '@soma/messaging';
import type { Logger } from '@soma/observability';
import { SessionOutbox } from '@soma/sessions';

/** Brings the rows that the gateway writes to Kafka. */
@Module({})
export class RelayModule {
  static configure(options: { backlogLimit: number; logger: Logger }): DynamicModule {
    return {
      module: RelayModule,
      global: true,
      providers: [
        {
          provide: Relay,
          useFactory: (producer: CoalescingProducer, outbox: SessionOutbox) =>
            new Relay({ producer, outbox, ...options }),
          inject: [CoalescingProducer, SessionOutbox],
        },
      ],
      exports: [Relay],
    };
  }
}
