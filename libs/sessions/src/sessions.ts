import { Injectable } from '@nestjs/common';
import {
  formatCursor,
  type Principal,
  type Session,
  type SessionList,
  toPage,
} from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { eraseSession } from './erase-session.ts';
import { sessionNotFound } from './problems.ts';
import { RowAnnouncer } from './row-announcer.ts';
import type { Witness } from './witness.ts';

interface SessionRow {
  session_id: string;
  persona_id: string | null;
  created_by: string;
  created_at: Date;
  updated_at: Date;
  last_seq: number;
}

/** Which part of a tenant's sessions is listed. */
export interface SessionPage {
  limit: number;
  cursor?: string | undefined;
  /** Only what this subject began. */
  createdBy?: string | undefined;
}

const COLUMNS = 'session_id, persona_id, created_by, created_at, updated_at, last_seq';

/** The sessions of a tenant as things that are listed, looked up and deleted. */
@Injectable()
export class Sessions {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly announcer: RowAnnouncer,
  ) {}

  /** Null where it is unknown or deleted. */
  async find(tenantId: string, sessionId: string): Promise<Session | null> {
    const [row] = await this.transaction.run(tenantId, (manager) =>
      manager.query<SessionRow[]>(
        `SELECT ${COLUMNS} FROM conversation.sessions
          WHERE tenant_id = $1 AND session_id = $2 AND deleted_at IS NULL`,
        [tenantId, sessionId],
      ),
    );
    return row === undefined ? null : toSession(row);
  }

  /**
   * The newest first.
   *
   * @throws {@link Problem} 400 `invalid_cursor` for a cursor that no page answered.
   */
  async list(tenantId: string, page: SessionPage): Promise<SessionList> {
    const { limit, cursor, createdBy } = page;
    const before = cursor === undefined ? null : readPageCursor(cursor);
    const rows = await this.transaction.run(tenantId, (manager) =>
      manager.query<SessionRow[]>(
        `SELECT ${COLUMNS} FROM conversation.sessions
          WHERE tenant_id = $1 AND deleted_at IS NULL
            AND ($2::timestamptz IS NULL OR (created_at, session_id) < ($2, $3::text))
            AND ($5::text IS NULL OR created_by = $5)
          ORDER BY created_at DESC, session_id DESC LIMIT $4`,
        [tenantId, before?.createdAt, before?.sessionId, limit + 1, createdBy],
      ),
    );
    const { items, next_cursor } = toPage(rows, limit, writePageCursor);
    return { sessions: items.map(toSession), next_cursor };
  }

  /**
   * Erases a session for good. Its id is never used again, and copies in Kafka expire with
   * retention.
   *
   * @throws {@link Problem} 404 `session_not_found`
   */
  async delete(principal: Principal, sessionId: string, witness: Witness): Promise<void> {
    const { tenant_id: tenantId, subject } = principal;
    const row = await this.transaction.run(tenantId, async (manager, write) => {
      const tombstone = await eraseSession(manager, write, { tenantId, sessionId, subject });
      if (tombstone === null) {
        throw sessionNotFound(sessionId);
      }
      await witness(manager, sessionId);
      return tombstone;
    });
    this.announcer.publish([row]);
  }
}

function toSession(row: SessionRow): Session {
  return {
    session_id: row.session_id,
    persona_id: row.persona_id,
    created_by: row.created_by,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    cursor: formatCursor({ seq: row.last_seq, offset: 0 }),
  };
}

function writePageCursor({ created_at, session_id }: SessionRow): string {
  return Buffer.from(`${created_at.toISOString()} ${session_id}`).toString('base64url');
}

function readPageCursor(cursor: string): { createdAt: string; sessionId: string } {
  const [createdAt = '', sessionId = ''] = Buffer.from(cursor, 'base64url').toString().split(' ');
  if (sessionId === '' || Number.isNaN(Date.parse(createdAt))) {
    throw new Problem({
      status: 400,
      code: 'invalid_cursor',
      detail: 'The cursor is none that a page answered. Begin without one.',
      fields: [{ path: 'cursor', message: 'is not a cursor of this list' }],
    });
  }
  return { createdAt, sessionId };
}
