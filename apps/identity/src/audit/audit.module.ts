import { type DynamicModule, Module } from '@nestjs/common';
import { AuditEvents } from '@soma/messaging';
import { AuditEventsController } from './audit-events.controller.ts';
import { AuditLines } from './audit-lines.ts';
import { AuditLog } from './audit-log.ts';
import { AUDIT_RECORDER, AuditReports, PLATFORM_TENANT } from './audit-reports.ts';
import { AuditController } from './audit.controller.ts';

/** The audit log, into which every feature writes. */
@Module({})
export class AuditModule {
  /** @param platformTenant - In whose log stands what concerns no tenant: the operator's. */
  static configure(platformTenant: string): DynamicModule {
    return {
      module: AuditModule,
      global: true,
      controllers: [AuditController, AuditEventsController],
      providers: [
        AuditLines,
        AuditLog,
        AuditReports,
        { provide: AUDIT_RECORDER, useExisting: AuditEvents },
        { provide: PLATFORM_TENANT, useValue: platformTenant },
      ],
      exports: [AuditLog, AuditReports, PLATFORM_TENANT],
    };
  }
}
