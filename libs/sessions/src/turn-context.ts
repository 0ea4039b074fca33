import type { RowEvent } from '@soma/contracts';
import type { EntityManager } from 'typeorm';
import type { ClaimedTurn, TurnStep } from './claim-turn.ts';
import { PERSONA_COLUMNS, type PersonaRow } from './persona-row.ts';

/** Rows of history that a claim reads at most; the window by tokens is the worker's. */
const HISTORY_ROWS = 400;

type Context = Pick<ClaimedTurn, 'request' | 'history' | 'steps' | 'persona'>;

interface ContextRow {
  events: RowEvent[] | null;
  steps: TurnStep[] | null;
  persona: PersonaRow | null;
}

/** All that a worker needs to know, in one query. */
export async function readContext(
  manager: EntityManager,
  turn: { tenantId: string; sessionId: string; seq: number },
): Promise<Context> {
  const [row] = await manager.query<ContextRow[]>(READ_CONTEXT, [
    turn.tenantId,
    turn.sessionId,
    turn.seq,
  ]);
  const events = row?.events ?? [];
  const request = events.find(({ seq }) => seq === turn.seq);
  if (row === undefined || request === undefined) {
    throw new Error('A turn has no message.');
  }
  return {
    request,
    history: inTurns(events, turn.seq),
    steps: row.steps ?? [],
    persona: row.persona,
  };
}

/** Messages may have queued up before their answers: each answer belongs behind its own message. */
function inTurns(events: RowEvent[], beforeSeq: number): RowEvent[] {
  const answers = new Map(
    events.filter(({ type }) => type === 'assistant.final').map((event) => [event.turn_id, event]),
  );
  return events
    .filter(({ type, seq }) => type === 'user.message' && seq < beforeSeq)
    .flatMap((message) => {
      const answer = answers.get(message.turn_id);
      return answer === undefined ? [message] : [message, answer];
    });
}

const READ_CONTEXT = `
  SELECT (SELECT json_agg(envelope ORDER BY seq)
             FROM (SELECT seq, envelope FROM conversation.session_events
                    WHERE tenant_id = $1 AND session_id = $2
                      AND (type = 'assistant.final' OR (type = 'user.message' AND seq <= $3))
                    ORDER BY seq DESC LIMIT ${HISTORY_ROWS}) AS newest) AS events,
          (SELECT json_agg(content ORDER BY step) FROM conversation.turn_steps
            WHERE tenant_id = $1 AND session_id = $2 AND seq = $3) AS steps,
          (SELECT row_to_json(persona)
             FROM (SELECT ${PERSONA_COLUMNS} FROM conversation.personas
                    WHERE tenant_id = $1 AND persona_id = session.persona_id) AS persona) AS persona
     FROM conversation.sessions AS session
    WHERE tenant_id = $1 AND session_id = $2`;
