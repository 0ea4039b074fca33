import type { RowEvent } from '@soma/contracts';
import type { EntityManager } from 'typeorm';
import type { ClaimedTurn, SessionSummary } from './claim-turn.ts';
import type { CallUsage } from './model-calls.ts';
import { PERSONA_COLUMNS, type PersonaRow } from './persona-row.ts';
import type { SessionName } from './timeline.ts';
import type { TurnStep } from './turn-step.ts';

/** Earlier messages, and as many answers, that a claim reads at most; the window by tokens is the worker's. */
const HISTORY_TURNS = 200;

/** A turn that can be taken, with all that a worker has to know of it. */
export interface ClaimableTurn extends Omit<ClaimedTurn, 'startedSeq' | 'keep'> {
  /** Whether it is taken over from a worker whose lease has expired. */
  hasDied: boolean;
}

interface TurnRow {
  seq: number;
  attempt: number;
  deaths: number;
  age_ms: number;
  has_died: boolean;
  trace_headers: Record<string, string> | null;
  summary: SessionSummary | null;
  usage: Omit<CallUsage, 'estimated'> & { estimated: boolean };
  messages: RowEvent[];
  answers: RowEvent[] | null;
  steps: TurnStep[] | null;
  persona: PersonaRow | null;
}

/** Looks, under the session's lock, for the turn that comes next, if it can be taken now. */
export async function findClaimable(
  manager: EntityManager,
  { tenantId, sessionId, maxPerTenant }: SessionName & { maxPerTenant: number },
): Promise<ClaimableTurn | null> {
  const [row] = await manager.query<TurnRow[]>(FIND_CLAIMABLE, [tenantId, sessionId, maxPerTenant]);
  if (row === undefined) {
    return null;
  }
  const request = row.messages.at(-1);
  if (request?.seq !== row.seq) {
    throw new Error('A turn has no message.');
  }
  return {
    ...{ tenantId, sessionId, seq: row.seq, attempt: row.attempt, deaths: row.deaths },
    turnId: request.event_id,
    personaId: request.persona_id,
    subject: request.principal.subject,
    ageMs: row.age_ms,
    hasDied: row.has_died,
    traceHeaders: row.trace_headers ?? {},
    request,
    summary: row.summary,
    history: inTurns(row.messages.slice(0, -1), row.answers ?? []),
    hasOlder: row.messages.length > HISTORY_TURNS,
    usage: toUsage(row.usage),
    steps: row.steps ?? [],
    persona: row.persona,
  };
}

function toUsage({ estimated, ...usage }: TurnRow['usage']): CallUsage {
  return estimated ? { ...usage, estimated } : usage;
}

/** Messages may have queued up before their answers: each answer belongs behind its own message. */
function inTurns(messages: RowEvent[], answers: RowEvent[]): RowEvent[] {
  const byTurn = new Map(answers.map((answer) => [answer.turn_id, answer]));
  return messages.flatMap((message) => {
    const answer = byTurn.get(message.turn_id);
    return answer === undefined ? [message] : [message, answer];
  });
}

const FIND_CLAIMABLE = `
  WITH oldest AS (
    SELECT turn.*, turn.owner IS NOT NULL AND NOT EXISTS (
             SELECT FROM conversation.workers AS worker
              WHERE worker.worker_id = turn.owner
                AND worker.expires_at > clock_timestamp()) AS has_died
      FROM conversation.turns AS turn
     WHERE tenant_id = $1 AND session_id = $2 AND state IN ('pending', 'running', 'waiting')
     ORDER BY seq LIMIT 1
  ), turn AS (
    SELECT * FROM oldest
     WHERE (state = 'running' AND has_died)
        OR (ready_at <= clock_timestamp()
            AND $3 > (SELECT count(*) FROM conversation.turns
                       WHERE tenant_id = $1 AND state = 'running' AND owner IS NOT NULL))
  ), covered AS (
    SELECT through_seq, summary FROM conversation.session_summaries
     WHERE tenant_id = $1 AND session_id = $2
  )
  SELECT turn.seq, attempt, deaths, has_died, trace_headers,
         coalesce(extract(epoch FROM clock_timestamp() - first_claimed_at) * 1000, 0)::float8
           AS age_ms,
         (SELECT json_build_object('throughSeq', through_seq, 'text', summary) FROM covered)
           AS summary,
         (SELECT json_build_object(
                   'input_tokens', coalesce(sum(input_tokens), 0),
                   'output_tokens', coalesce(sum(output_tokens), 0),
                   'cached_input_tokens', coalesce(sum(cached_input_tokens), 0),
                   'estimated', coalesce(bool_or(estimated), false))
            FROM conversation.model_calls AS call
           WHERE call.tenant_id = $1 AND call.turn_id = turn.turn_id) AS usage,
         (SELECT json_agg(envelope ORDER BY seq)
            FROM (SELECT seq, envelope FROM conversation.session_events
                   WHERE tenant_id = $1 AND session_id = $2 AND type = 'user.message'
                     AND seq <= turn.seq AND seq > coalesce((SELECT through_seq FROM covered), 0)
                   ORDER BY seq DESC LIMIT ${HISTORY_TURNS + 1}) AS message) AS messages,
         (SELECT json_agg(envelope)
            FROM (SELECT envelope FROM conversation.session_events
                   WHERE tenant_id = $1 AND session_id = $2 AND type = 'assistant.final'
                     AND seq > coalesce((SELECT through_seq FROM covered), 0)
                   ORDER BY seq DESC LIMIT ${HISTORY_TURNS}) AS answer) AS answers,
         (SELECT json_agg(content ORDER BY step) FROM conversation.turn_steps
           WHERE tenant_id = $1 AND session_id = $2 AND seq = turn.seq) AS steps,
         (SELECT row_to_json(persona)
            FROM (SELECT ${PERSONA_COLUMNS} FROM conversation.personas
                   WHERE tenant_id = $1 AND persona_id = (
                     SELECT persona_id FROM conversation.sessions
                      WHERE tenant_id = $1 AND session_id = $2)) AS persona) AS persona
    FROM turn`;
