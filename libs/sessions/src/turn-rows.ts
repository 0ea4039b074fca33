import { newIdentifier } from '@soma/kernel';
import type { Write } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { type OutboxRow, type RowContent, toOutboxRow, writeEnvelope } from './timeline-row.ts';

/** Inserts a row; its values come from {@link prepareRow}. */
export const INSERT_ROW = `
  INSERT INTO conversation.session_events
    (tenant_id, session_id, seq, event_id, turn_id, type, envelope, occurred_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`;

/** A row at a `seq` that was taken under the session's lock: as it is stored, and as it is sent. */
export function prepareRow(
  content: RowContent,
  { seq, headers }: { seq: number; headers?: Record<string, string> },
): { row: OutboxRow; values: unknown[] } {
  const occurredAt = new Date();
  const envelope = writeEnvelope(content, seq, occurredAt);
  const { tenant_id: tenantId, session_id: sessionId, event_id, turn_id, type } = content;
  return {
    row: toOutboxRow({ tenantId, sessionId, seq, type, envelope }, headers),
    values: [tenantId, sessionId, seq, event_id, turn_id, type, envelope, occurredAt],
  };
}

/** Writes one row at a `seq` that was taken under the session's lock. */
export function insertRow(
  write: Write,
  { content, seq }: { content: RowContent; seq: number },
): OutboxRow {
  const { row, values } = prepareRow(content, { seq });
  write(INSERT_ROW, values);
  return row;
}

/**
 * Takes a session's next `seq`, and with it the lock under which everything about its turns is
 * decided. Null where the session is unknown or deleted.
 */
export async function takeSeq(
  manager: EntityManager,
  tenantId: string,
  sessionId: string,
): Promise<number | null> {
  const [[session]] = await manager.query<[{ last_seq: number }[], number]>(
    `UPDATE conversation.sessions
        SET last_seq = last_seq + 1, updated_at = clock_timestamp()
      WHERE tenant_id = $1 AND session_id = $2 AND deleted_at IS NULL
      RETURNING last_seq`,
    [tenantId, sessionId],
  );
  return session?.last_seq ?? null;
}

/** Lets any worker take the session's next turn, when no earlier one is unfinished. */
export function readyNextTurn(write: Write, tenantId: string, sessionId: string): void {
  write(
    `UPDATE conversation.turns SET ready_at = clock_timestamp()
      WHERE tenant_id = $1 AND session_id = $2 AND state = 'pending' AND ready_at IS NULL
        AND seq = (SELECT min(seq) FROM conversation.turns
                    WHERE tenant_id = $1 AND session_id = $2
                      AND state IN ('pending', 'running', 'waiting'))`,
    [tenantId, sessionId],
  );
}

/** What all rows that a turn writes have in common. */
export interface TurnOrigin {
  tenantId: string;
  sessionId: string;
  turnId: string;
  personaId: string | null;
  subject: string;
}

/** A row that the assistant writes. Its id is fixed before the first try, so that a repeat is seen. */
export function assistantRow(
  turn: TurnOrigin,
  row: Pick<RowContent, 'type' | 'message' | 'metadata'> & Partial<RowContent>,
): RowContent {
  return {
    tenant_id: turn.tenantId,
    session_id: turn.sessionId,
    event_id: newIdentifier(),
    turn_id: turn.turnId,
    persona_id: turn.personaId,
    role: 'assistant',
    principal: { subject: turn.subject },
    ...row,
  };
}
