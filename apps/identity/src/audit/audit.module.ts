import { Global, Module } from '@nestjs/common';
import { AuditEventsController } from './audit-events.controller.ts';
import { AuditLines } from './audit-lines.ts';
import { AuditLog } from './audit-log.ts';
import { AuditController } from './audit.controller.ts';

/** The audit log, into which every feature writes. */
@Global()
@Module({
  controllers: [AuditController, AuditEventsController],
  providers: [AuditLines, AuditLog],
  exports: [AuditLog],
})
export class AuditModule {}
