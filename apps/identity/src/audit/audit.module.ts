import { Global, Module } from '@nestjs/common';
import { AuditLog } from './audit-log.ts';

/** The audit log, into which every feature writes. */
@Global()
@Module({ providers: [AuditLog], exports: [AuditLog] })
export class AuditModule {}
