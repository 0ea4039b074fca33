import { type DynamicModule, Module } from '@nestjs/common';
import { AuditEvents } from '@soma/messaging';
import { OPERATOR_TENANT } from '../tenancy/operator-tenant.ts';
import { AuditEventsController } from './audit-events.controller.ts';
import { AuditLines } from './audit-lines.ts';
import { AuditLog } from './audit-log.ts';
import { AUDIT_RECORDER, AuditReports } from './audit-reports.ts';
import { AuditController } from './audit.controller.ts';

/** The audit log, into which every feature writes. */
@Module({})
export class AuditModule {
  /** @param operatorTenant - Under {@link OPERATOR_TENANT} it is there for all. */
  static configure(operatorTenant: string): DynamicModule {
    return {
      module: AuditModule,
      global: true,
      controllers: [AuditController, AuditEventsController],
      providers: [
        AuditLines,
        AuditLog,
        AuditReports,
        { provide: AUDIT_RECORDER, useExisting: AuditEvents },
        { provide: OPERATOR_TENANT, useValue: operatorTenant },
      ],
      exports: [AuditLog, AuditReports, OPERATOR_TENANT],
    };
  }
}
