import type { AuditLine } from '@soma/contracts';

/** A line as the table has it. */
export interface AuditRow {
  tenant_id: string;
  /** A bigint, which the driver leaves as text. */
  seq: string;
  audit_id: string;
  occurred_at: Date | string;
  actor_subject: string;
  actor_address: string | null;
  action: string;
  target_type: string;
  target_id: string;
  outcome: AuditLine['outcome'];
  request_id: string | null;
  details: AuditLine['details'];
  previous_hash: string;
  hash: string;
}

/** A line on its way into the table. */
export function toAuditRow({ actor, target, seq, ...line }: AuditLine): AuditRow {
  return {
    ...line,
    seq: String(seq),
    actor_subject: actor.subject,
    actor_address: actor.address,
    target_type: target.type,
    target_id: target.id,
  };
}

/** A line as it is read. */
export function toAuditLine(row: AuditRow): AuditLine {
  const { tenant_id, audit_id, action, outcome, request_id, details, previous_hash, hash } = row;
  return {
    tenant_id,
    seq: Number(row.seq),
    audit_id,
    occurred_at: new Date(row.occurred_at).toISOString(),
    actor: { subject: row.actor_subject, address: row.actor_address },
    action,
    target: { type: row.target_type, id: row.target_id },
    outcome,
    request_id,
    details,
    previous_hash,
    hash,
  };
}
