import { type DynamicModule, Module } from '@nestjs/common';
import { SweepTransaction } from '@soma/persistence';
import { CoalescingProducer } from '../coalescing-producer.ts';
import { AuditOutboxRelay } from './audit-outbox-relay.ts';
import { AuditOutbox } from './audit-outbox.ts';

/** Tells the audit log of every change that a service commits. */
@Module({})
export class AuditOutboxModule {
  /** @param schema - The service's own, which has the table `audit_outbox`. */
  static of(schema: string): DynamicModule {
    return {
      module: AuditOutboxModule,
      global: true,
      providers: [
        { provide: AuditOutbox, useFactory: () => new AuditOutbox(schema) },
        {
          provide: AuditOutboxRelay,
          inject: [SweepTransaction, CoalescingProducer],
          useFactory: (sweep: SweepTransaction, producer: CoalescingProducer) =>
            new AuditOutboxRelay(schema, sweep, producer),
        },
      ],
      exports: [AuditOutbox],
    };
  }
}
