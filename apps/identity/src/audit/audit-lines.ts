import { Injectable } from '@nestjs/common';
import {
  type AuditFilter,
  type AuditLine,
  type AuditPage,
  type AuditQuery,
  toPage,
} from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { type AuditRow, toAuditLine } from './audit-row.ts';

/** How many lines of an export are in memory at once. */
const EXPORT_PAGE = 500;
/** Beyond every line. */
const END = Number.MAX_SAFE_INTEGER;

/** Reads the audit log of a tenant. */
@Injectable()
export class AuditLines {
  constructor(private readonly transaction: TenantTransaction) {}

  /**
   * The newest lines first.
   *
   * @throws {@link Problem} 400 `invalid_cursor`
   */
  async page(tenantId: string, { cursor, limit, ...filter }: AuditQuery): Promise<AuditPage> {
    const before = cursor === undefined ? END : parseCursor(cursor);
    const lines = await this.read(tenantId, filter, {
      where: `seq < $9 ORDER BY seq DESC LIMIT $10`,
      values: [before, limit + 1],
    });
    const { items, next_cursor } = toPage(lines, limit, ({ seq }) => formatCursor(seq));
    return { lines: items, next_cursor };
  }

  /** All lines, the oldest first, some at a time: the next are read when they are asked for. */
  async *all(tenantId: string, filter: AuditFilter): AsyncGenerator<AuditLine[]> {
    let after = 0;
    for (;;) {
      const lines = await this.read(tenantId, filter, {
        where: `seq > $9 ORDER BY seq LIMIT $10`,
        values: [after, EXPORT_PAGE],
      });
      if (lines.length > 0) {
        yield lines;
      }
      const last = lines.at(-1);
      if (last === undefined || lines.length < EXPORT_PAGE) {
        return;
      }
      after = last.seq;
    }
  }

  private async read(
    tenantId: string,
    filter: AuditFilter,
    { where, values }: { where: string; values: number[] },
  ): Promise<AuditLine[]> {
    const { actor, action, target_type, target_id, outcome, from, to } = filter;
    const rows = await this.transaction.run(tenantId, (manager) =>
      manager.query<AuditRow[]>(
        `SELECT * FROM audit.audit_log
          WHERE tenant_id = $1
            AND ($2::text IS NULL OR actor_subject = $2)
            AND ($3::text IS NULL OR action = $3)
            AND ($4::text IS NULL OR target_type = $4)
            AND ($5::text IS NULL OR target_id = $5)
            AND ($6::text IS NULL OR outcome = $6)
            AND ($7::timestamptz IS NULL OR occurred_at >= $7)
            AND ($8::timestamptz IS NULL OR occurred_at < $8)
            AND ${where}`,
        [tenantId, actor, action, target_type, target_id, outcome, from, to, ...values],
      ),
    );
    return rows.map(toAuditLine);
  }
}

function formatCursor(seq: number): string {
  return Buffer.from(String(seq)).toString('base64url');
}

function parseCursor(cursor: string): number {
  const text = Buffer.from(cursor, 'base64url').toString();
  if (!/^\d{1,15}$/.test(text)) {
    throw new Problem({
      status: 400,
      code: 'invalid_cursor',
      detail: 'The cursor is none of this list. Send next_cursor exactly as it was received.',
    });
  }
  return Number(text);
}
