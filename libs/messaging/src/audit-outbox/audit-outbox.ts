import type { AuditReport } from '@soma/contracts';
import type { EntityManager } from 'typeorm';
import { newAuditEvent } from '../new-audit-event.ts';

/**
 * Tells the audit log, which identity keeps, of changes that another service makes.
 *
 * A change and its line are committed together: the line lies in the table `audit_outbox` of the
 * service's own schema until Kafka has it. What changes nothing, as a denial, is told by
 * {@link AuditEvents}, which needs no transaction.
 */
export class AuditOutbox {
  readonly #insert: string;

  /** @param schema - The service's own. */
  constructor(schema: string) {
    this.#insert = `
      INSERT INTO ${schema}.audit_outbox (tenant_id, audit_id, event)
      SELECT tenant_id, audit_id, event::json
        FROM unnest($1::text[], $2::uuid[], $3::text[]) AS told (tenant_id, audit_id, event)`;
  }

  /** @param manager - Of the transaction of the changes, which are of its tenant. */
  async append(manager: EntityManager, ...reports: readonly AuditReport[]): Promise<void> {
    if (reports.length === 0) {
      return;
    }
    const events = reports.map(newAuditEvent);
    await manager.query(this.#insert, [
      events.map(({ tenant_id }) => tenant_id),
      events.map(({ audit_id }) => audit_id),
      events.map((event) => JSON.stringify(event)),
    ]);
  }
}
