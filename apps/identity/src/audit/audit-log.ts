import { Injectable } from '@nestjs/common';
import {
  type AuditEvent,
  auditHash,
  type AuditLine,
  type AuditReport,
  FIRST_PREVIOUS_HASH,
} from '@soma/contracts';
import { newIdentifier } from '@soma/kernel';
import type { EntityManager } from 'typeorm';
import { toAuditRow } from './audit-row.ts';
import { storable } from './storable.ts';

interface Head {
  /** A bigint, which the driver leaves as text. */
  seq: string;
  hash: string;
}

/**
 * Writes lines of the audit log, each in the transaction of what it tells of: either both are
 * committed or neither.
 *
 * The tenant's head stays locked to the commit. So append last in a transaction: everything after it
 * keeps the tenant's other writers waiting.
 */
@Injectable()
export class AuditLog {
  /** @param manager - Of a {@link TenantTransaction} of the entry's tenant. */
  async append(manager: EntityManager, entry: AuditReport): Promise<void> {
    const event = { ...entry, audit_id: newIdentifier(), occurred_at: new Date().toISOString() };
    await this.appendEvents(manager, entry.tenant_id, [event]);
  }

  /**
   * Appends what happened elsewhere. An event that the log has already is left out.
   *
   * @param manager - Of a {@link TenantTransaction} of this tenant, which is that of all events.
   */
  async appendEvents(
    manager: EntityManager,
    tenantId: string,
    events: readonly Omit<AuditEvent, 'schema'>[],
  ): Promise<void> {
    let head = await this.lockHead(manager, tenantId);
    const fresh = await this.withoutKnown(manager, tenantId, events);
    if (fresh.length === 0) {
      return;
    }
    const lines = fresh.map((event) => {
      const line = chained(event, head);
      head = { seq: String(line.seq), hash: line.hash };
      return line;
    });
    await manager.query(
      `WITH moved AS (
         UPDATE audit.chain_heads SET seq = $2, hash = $3 WHERE tenant_id = $1
       )
       INSERT INTO audit.audit_log
       SELECT * FROM json_populate_recordset(NULL::audit.audit_log, $4::json)`,
      [tenantId, head.seq, head.hash, JSON.stringify(lines.map(toAuditRow))],
    );
  }

  /** The update changes nothing: it locks the row that is there, where the insert makes none. */
  private async lockHead(manager: EntityManager, tenantId: string): Promise<Head> {
    const [head] = await manager.query<Head[]>(
      `INSERT INTO audit.chain_heads AS head (tenant_id, seq, hash) VALUES ($1, 0, $2)
       ON CONFLICT (tenant_id) DO UPDATE SET seq = head.seq RETURNING seq, hash`,
      [tenantId, FIRST_PREVIOUS_HASH],
    );
    if (head === undefined) {
      throw new Error('The database gave no head of the audit log.');
    }
    return head;
  }

  private async withoutKnown<Event extends { audit_id: string }>(
    manager: EntityManager,
    tenantId: string,
    events: readonly Event[],
  ): Promise<Event[]> {
    const rows = await manager.query<{ audit_id: string }[]>(
      `SELECT audit_id FROM audit.audit_log WHERE tenant_id = $1 AND audit_id = ANY ($2)`,
      [tenantId, events.map(({ audit_id }) => audit_id)],
    );
    const known = new Set(rows.map(({ audit_id }) => audit_id));
    return events.filter(({ audit_id }) => {
      const isFresh = !known.has(audit_id);
      // It may also occur twice among these.
      known.add(audit_id);
      return isFresh;
    });
  }
}

function chained(event: Omit<AuditEvent, 'schema'>, head: Head): AuditLine {
  const { audit_id, tenant_id, actor, action, target, outcome, request_id, occurred_at, details } =
    event;
  const said = { actor, action, target, outcome, request_id, details };
  const seq = Number(head.seq) + 1;
  const place = { tenant_id, seq, audit_id, occurred_at, previous_hash: head.hash };
  const line = { ...place, ...storable(said) };
  return { ...line, hash: auditHash(line) };
}
