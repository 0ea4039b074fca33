import { Injectable } from '@nestjs/common';
import type { Cursor, RowEvent } from '@soma/contracts';
import { SweepTransaction, TenantTransaction } from '@soma/persistence';
import type { TimelineRow } from './timeline-row.ts';

/** Where a turn stands. */
export type TurnState = 'pending' | 'running' | 'waiting' | 'done' | 'failed' | 'cancelled';

/** Reads a session's rows. */
@Injectable()
export class Timeline {
  constructor(private readonly transaction: TenantTransaction) {}

  /** How far the session has come; null where it is unknown or deleted. */
  async find(tenantId: string, sessionId: string): Promise<{ lastSeq: number } | null> {
    const [found] = await this.transaction.run(tenantId, (manager) =>
      manager.query<{ lastSeq: number }[]>(
        `SELECT last_seq AS "lastSeq" FROM conversation.sessions
          WHERE tenant_id = $1 AND session_id = $2 AND deleted_at IS NULL`,
        [tenantId, sessionId],
      ),
    );
    return found ?? null;
  }

  /** The rows after `seq`, in their order. */
  rowsAfter(
    tenantId: string,
    sessionId: string,
    { seq, limit }: { seq: number; limit: number },
  ): Promise<TimelineRow[]> {
    return this.transaction.run(tenantId, (manager) =>
      manager.query<TimelineRow[]>(
        `SELECT seq, type, turn_id AS "turnId", envelope::text AS envelope
           FROM conversation.session_events
          WHERE tenant_id = $1 AND session_id = $2 AND seq > $3
            AND envelope IS NOT NULL
          ORDER BY seq LIMIT $4`,
        [tenantId, sessionId, seq, limit],
      ),
    );
  }

  /** What has become of a turn; null where it is unknown or its session was deleted. */
  async turnState(
    tenantId: string,
    { session_id, seq }: Pick<RowEvent, 'session_id' | 'seq'>,
  ): Promise<TurnState | null> {
    const [turn] = await this.transaction.run(tenantId, (manager) =>
      manager.query<{ state: TurnState }[]>(
        `SELECT state FROM conversation.turns
          WHERE tenant_id = $1 AND session_id = $2 AND seq = $3`,
        [tenantId, session_id, seq],
      ),
    );
    return turn?.state ?? null;
  }

  /**
   * Where a stream without a cursor begins: before the message of the oldest unfinished turn, else
   * before the last message, else after all that there is.
   */
  async streamStart(tenantId: string, sessionId: string): Promise<Cursor> {
    const [start] = await this.transaction.run(tenantId, (manager) =>
      manager.query<{ seq: number | null }[]>(
        `SELECT coalesce(
                  (SELECT min(seq) - 1 FROM conversation.turns
                    WHERE tenant_id = $1 AND session_id = $2
                      AND state IN ('pending', 'running', 'waiting')),
                  (SELECT max(seq) - 1 FROM conversation.turns
                    WHERE tenant_id = $1 AND session_id = $2),
                  (SELECT last_seq FROM conversation.sessions
                    WHERE tenant_id = $1 AND session_id = $2)) AS seq`,
        [tenantId, sessionId],
      ),
    );
    return { seq: start?.seq ?? 0, offset: 0 };
  }
}

/** Names a session across tenants. */
export interface SessionName {
  tenantId: string;
  sessionId: string;
}

/** How far a session has come. */
export interface SessionHead extends SessionName {
  lastSeq: number;
  isDeleted: boolean;
}

/** Compares many sessions of all tenants with their timelines at once, for the streams of a pod. */
@Injectable()
export class SessionHeads {
  constructor(private readonly sweep: SweepTransaction) {}

  /** One query. A session that does not exist is not in the answer. */
  of(sessions: readonly SessionName[]): Promise<SessionHead[]> {
    return this.sweep.run((manager) =>
      manager.query<SessionHead[]>(
        `SELECT session.tenant_id AS "tenantId", session.session_id AS "sessionId",
                last_seq AS "lastSeq", deleted_at IS NOT NULL AS "isDeleted"
           FROM unnest($1::text[], $2::text[]) AS open (tenant_id, session_id)
           JOIN conversation.sessions AS session USING (tenant_id, session_id)`,
        [sessions.map(({ tenantId }) => tenantId), sessions.map(({ sessionId }) => sessionId)],
      ),
    );
  }
}
