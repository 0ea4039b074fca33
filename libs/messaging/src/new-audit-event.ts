import { type AuditEvent, auditEvents, type AuditReport } from '@soma/contracts';
import { newIdentifier } from '@soma/kernel';

/** Happened now. However often it is sent, its id lets the audit log take it once. */
export function newAuditEvent(report: AuditReport): AuditEvent {
  return {
    schema: auditEvents.version,
    audit_id: newIdentifier(),
    occurred_at: new Date().toISOString(),
    ...report,
  };
}
