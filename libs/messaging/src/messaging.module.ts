import { type DynamicModule, Module } from '@nestjs/common';
import { CoalescingProducer } from './coalescing-producer.ts';
import { DeadLetters } from './dead-letters.ts';
import { type ClientIdentity, KafkaConnection } from './kafka-connection.ts';
import { KafkaConsumers } from './kafka-consumers.ts';
import type { KafkaConfig } from './kafka-settings.ts';

/** Gives a service its ways to and from Kafka. */
@Module({})
export class MessagingModule {
  static connect(config: KafkaConfig, identity: ClientIdentity): DynamicModule {
    return {
      module: MessagingModule,
      global: true,
      providers: [
        { provide: KafkaConnection, useFactory: () => new KafkaConnection(config, identity) },
        {
          provide: CoalescingProducer,
          useFactory: (connection: KafkaConnection) => new CoalescingProducer(connection),
          inject: [KafkaConnection],
        },
        {
          provide: DeadLetters,
          useFactory: (connection: KafkaConnection, producer: CoalescingProducer) =>
            new DeadLetters(connection, producer),
          inject: [KafkaConnection, CoalescingProducer],
        },
        {
          provide: KafkaConsumers,
          useFactory: (connection: KafkaConnection, deadLetters: DeadLetters) =>
            new KafkaConsumers(connection, deadLetters),
          inject: [KafkaConnection, DeadLetters],
        },
      ],
      exports: [KafkaConnection, CoalescingProducer, DeadLetters, KafkaConsumers],
    };
  }
}
