import { type DynamicModule, Module } from '@nestjs/common';
import type { Logger } from '@soma/observability';
import { z } from 'zod';
import { AuditEvents } from './audit-events.ts';
import { AuditFallbackFile } from './audit-fallback-file.ts';
import { CoalescingProducer } from './coalescing-producer.ts';

/** The setting of a service that tells of events; spread it into its schema. */
export const auditEventSettings = {
  AUDIT_FALLBACK_FILE: z
    .string()
    .optional()
    .describe(
      'File that keeps audit events while Kafka is away, one process alone. Unset: the log does.',
    ),
};

type AuditEventsConfig = z.output<z.ZodObject<typeof auditEventSettings>>;

/** Gives a service {@link AuditEvents}. It needs the messaging module. */
@Module({})
export class AuditEventsModule {
  static connect({ AUDIT_FALLBACK_FILE: path }: AuditEventsConfig, logger: Logger): DynamicModule {
    const file = path === undefined ? undefined : new AuditFallbackFile(path);
    return {
      module: AuditEventsModule,
      global: true,
      providers: [
        {
          provide: AuditEvents,
          useFactory: (producer: CoalescingProducer) => new AuditEvents({ producer, file, logger }),
          inject: [CoalescingProducer],
        },
      ],
      exports: [AuditEvents],
    };
  }
}
