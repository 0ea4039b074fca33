import { type DynamicModule, Module, type Type } from '@nestjs/common';
import type { Logger } from '@soma/observability';
import { CoalescingProducer } from './coalescing-producer.ts';
import type { Outbox } from './outbox.ts';
import { Relay } from './relay.ts';

/** What a service's relay works with. */
export interface RelayModuleOptions {
  /** A provider of a global module. */
  outbox: Type<Outbox>;
  logger: Logger;
  /** Where counting the backlog stops, in rows. */
  backlogLimit: number;
}

/** Brings the rows that a service writes to Kafka. */
@Module({})
export class RelayModule {
  static of({ outbox, ...options }: RelayModuleOptions): DynamicModule {
    return {
      module: RelayModule,
      global: true,
      providers: [
        {
          provide: Relay,
          useFactory: (producer: CoalescingProducer, rows: Outbox) =>
            new Relay({ producer, outbox: rows, ...options }),
          inject: [CoalescingProducer, outbox],
        },
      ],
      exports: [Relay],
    };
  }
}
