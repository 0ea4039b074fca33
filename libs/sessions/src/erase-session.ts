import { newIdentifier } from '@soma/kernel';
import type { Write } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import type { OutboxRow, RowContent } from './timeline-row.ts';
import { insertRow } from './turn-rows.ts';

const TABLES_WITH_CONTENT = [
  'turns',
  'turn_steps',
  'open_calls',
  // After the turns: a worker that keeps a summary has its turn locked meanwhile.
  'session_summaries',
  'session_events',
  'idempotency_keys',
  'stream_tickets',
];

/** Which session is erased, and in whose name. */
export interface Erasure {
  tenantId: string;
  sessionId: string;
  subject: string;
}

/**
 * Erases a session for good, within the caller's transaction: its turns end, its rows, steps and
 * idempotency rows go, a tombstone stays, and the ledger of erasures has its id. A worker's late
 * write finds no turn, and so fails at the fence.
 *
 * @returns The one row that is left, which tells open streams to end. Null where there was no session.
 */
export async function eraseSession(
  manager: EntityManager,
  write: Write,
  erasure: Erasure,
): Promise<OutboxRow | null> {
  const { tenantId, sessionId } = erasure;
  const seq = await buryTombstone(manager, tenantId, sessionId);
  if (seq === null) {
    return null;
  }
  for (const table of TABLES_WITH_CONTENT) {
    write(`DELETE FROM conversation.${table} WHERE tenant_id = $1 AND session_id = $2`, [
      tenantId,
      sessionId,
    ]);
  }
  write(
    `INSERT INTO conversation.erased_sessions (tenant_id, session_id, erased_at)
     VALUES ($1, $2, clock_timestamp()) ON CONFLICT DO NOTHING`,
    [tenantId, sessionId],
  );
  return insertRow(write, { seq, content: tombstoneOf(erasure) });
}

function tombstoneOf({ tenantId, sessionId, subject }: Erasure): RowContent {
  return {
    tenant_id: tenantId,
    session_id: sessionId,
    event_id: newIdentifier(),
    turn_id: null,
    type: 'session.updated',
    persona_id: null,
    role: 'system',
    message: '',
    metadata: { deleted: true },
    principal: { subject },
  };
}

async function buryTombstone(
  manager: EntityManager,
  tenantId: string,
  sessionId: string,
): Promise<number | null> {
  const [[buried]] = await manager.query<[{ last_seq: number }[], number]>(
    `UPDATE conversation.sessions
        SET last_seq = last_seq + 1, deleted_at = clock_timestamp(), persona_id = NULL
      WHERE tenant_id = $1 AND session_id = $2 AND deleted_at IS NULL
      RETURNING last_seq`,
    [tenantId, sessionId],
  );
  return buried?.last_seq ?? null;
}
