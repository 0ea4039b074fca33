import { type Accepted, formatCursor, type RowEvent } from '@soma/contracts';
import type { Write } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import type { OwnedKey } from './idempotency.ts';
import { sessionNotFound } from './problems.ts';
import { type OutboxRow, toOutboxRow, writeEnvelope } from './timeline-row.ts';

/** A message with everything decided but its place in the session. */
export interface NewTurn {
  tenantId: string;
  sessionId: string;
  subject: string;
  /** Fixed before the first try; also the id of the turn that the message opens. */
  eventId: string;
  personaId: string | null;
  content: Pick<RowEvent, 'message' | 'attachments' | 'metadata' | 'action' | 'output_schema'>;
  mustExist: boolean;
  /** Whether the session must be the subject's own, for none was there when they were let in. */
  mustBecomeOwn: boolean;
  traceHeaders: Record<string, string>;
  key: OwnedKey | null;
}

/** A message and the `seq` that it takes. */
export interface PlacedTurn {
  item: NewTurn;
  seq: number;
  /** Whether it is the batch's first of its session. Only such a turn can be next. */
  isFirst: boolean;
}

interface LockedSession {
  session_id: string;
  last_seq: number;
  created_by: string;
}

/** What a stored message answers. */
export function toAccepted({ sessionId, eventId }: NewTurn, seq: number): Accepted {
  return {
    session_id: sessionId,
    event_id: eventId,
    cursor: formatCursor({ seq, offset: 0 }),
  };
}

/** Locks the items' sessions, sorted, and finds what an earlier commit has stored of the items. */
export async function findStored(
  manager: EntityManager,
  tenantId: string,
  items: readonly NewTurn[],
): Promise<Map<NewTurn, Accepted>> {
  const sessionIds = items.map(({ sessionId }) => sessionId);
  await manager.query(
    `SELECT FROM conversation.sessions WHERE tenant_id = $1 AND session_id = ANY ($2)
      ORDER BY session_id FOR UPDATE`,
    [tenantId, sessionIds],
  );
  const rows = await manager.query<{ event_id: string; seq: number }[]>(
    `SELECT turn_id AS event_id, seq FROM conversation.turns
      WHERE tenant_id = $1 AND session_id = ANY ($2) AND turn_id = ANY ($3)`,
    [tenantId, sessionIds, items.map(({ eventId }) => eventId)],
  );
  const seqs = new Map(rows.map(({ event_id, seq }) => [event_id, seq]));
  const stored = new Map<NewTurn, Accepted>();
  for (const item of items) {
    const seq = seqs.get(item.eventId);
    if (seq !== undefined) {
      stored.set(item, toAccepted(item, seq));
    }
  }
  return stored;
}

/**
 * Makes or locks the items' sessions, sorted, and takes as many `seq` as there are items.
 *
 * @returns The first `seq` by session. A deleted session is missing.
 * @throws {@link Problem} 404 `session_not_found` when somebody else has begun it meanwhile.
 */
export async function lockSessions(
  manager: EntityManager,
  tenantId: string,
  items: readonly NewTurn[],
): Promise<Map<string, number>> {
  const bySession = Map.groupBy(items, ({ sessionId }) => sessionId);
  const sessionIds = [...bySession.keys()].sort();
  const groups = sessionIds.map((sessionId) => bySession.get(sessionId) ?? []);
  const rows = await manager.query<LockedSession[]>(LOCK_SESSIONS, [
    tenantId,
    sessionIds,
    groups.map(({ length }) => length),
    groups.map((group) => group.findLast(({ personaId }) => personaId !== null)?.personaId),
    groups.map(([first]) => first?.subject),
    new Date(),
  ]);
  return new Map(
    rows.map(({ session_id, last_seq, created_by }) => {
      const group = bySession.get(session_id) ?? [];
      if (group.some(({ mustBecomeOwn, subject }) => mustBecomeOwn && subject !== created_by)) {
        // It rolls the batch back; then each of its items is tried alone, and this one refused.
        throw sessionNotFound(session_id);
      }
      return [session_id, last_seq - group.length + 1];
    }),
  );
}

/** Writes the rows and their turns. It sees every turn of these sessions, for they are locked. */
export function insertTurns(
  write: Write,
  tenantId: string,
  placed: readonly PlacedTurn[],
): OutboxRow[] {
  const occurredAt = new Date();
  const envelopes = placed.map(({ item, seq }) => userEnvelope(item, seq, occurredAt));
  write(INSERT_TURNS, [
    tenantId,
    placed.map(({ item }) => item.sessionId),
    placed.map(({ seq }) => seq),
    placed.map(({ item }) => item.eventId),
    envelopes,
    placed.map(({ isFirst }) => isFirst),
    occurredAt,
    placed.map(({ item }) => JSON.stringify(item.traceHeaders)),
  ]);
  return placed.map(({ item, seq }, index) =>
    toOutboxRow(
      {
        tenantId,
        sessionId: item.sessionId,
        seq,
        type: 'user.message',
        envelope: envelopes[index] ?? '',
      },
      item.traceHeaders,
    ),
  );
}

function userEnvelope(item: NewTurn, seq: number, occurredAt: Date): string {
  return writeEnvelope(
    {
      tenant_id: item.tenantId,
      session_id: item.sessionId,
      event_id: item.eventId,
      turn_id: item.eventId,
      type: 'user.message',
      persona_id: item.personaId,
      role: 'user',
      ...item.content,
      principal: { subject: item.subject },
    },
    seq,
    occurredAt,
  );
}

const LOCK_SESSIONS = `
  INSERT INTO conversation.sessions AS session
     (tenant_id, session_id, last_seq, persona_id, created_by, created_at, updated_at)
   SELECT $1, row.session_id, row.taken, row.persona_id, row.subject, $6, $6
     FROM unnest($2::text[], $3::int[], $4::text[], $5::text[])
       AS row (session_id, taken, persona_id, subject)
   ON CONFLICT (tenant_id, session_id) DO UPDATE
      SET last_seq = session.last_seq + EXCLUDED.last_seq,
          persona_id = coalesce(EXCLUDED.persona_id, session.persona_id),
          updated_at = EXCLUDED.updated_at
    WHERE session.deleted_at IS NULL
   RETURNING session_id, last_seq, created_by`;

// A statement of its own, after the one that locks: only then does it see every turn of the sessions.
// `LIMIT 1` and not `NOT EXISTS`, which PostgreSQL may answer by a hash of all unfinished turns of the
// tenant: each accept would then cost what the backlog is long.
const INSERT_TURNS = `
  WITH item AS (
     SELECT * FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::bool[],
                          $8::json[])
       AS row (session_id, seq, event_id, envelope, is_first, trace_headers)
   ), rows AS (
     INSERT INTO conversation.session_events
       (tenant_id, session_id, seq, event_id, turn_id, type, envelope, occurred_at)
     SELECT $1, session_id, seq, event_id, event_id, 'user.message', envelope::json, $7 FROM item
   )
   INSERT INTO conversation.turns
     (tenant_id, session_id, seq, turn_id, state, accepted_at, trace_headers, ready_at)
   SELECT $1, session_id, seq, event_id, 'pending', clock_timestamp(), trace_headers,
          CASE WHEN is_first AND (
            SELECT seq FROM conversation.turns AS earlier
             WHERE earlier.tenant_id = $1 AND earlier.session_id = item.session_id
               AND earlier.state IN ('pending', 'running', 'waiting')
             LIMIT 1) IS NULL
          THEN clock_timestamp() END
     FROM item`;
