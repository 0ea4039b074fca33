/*
 * A claim makes one worker the only one whose writes to a turn count.
 *
 * Everything is decided under the session's lock. The turn is the session's oldest unfinished one,
 * or none: turns run in the order of `seq` (P2). It can be taken when it is ready (pending, handed
 * back, or no longer waiting) or when the lease of the worker that ran it has expired. Taking it
 * adds one to `attempt`, which fences off whoever held it before (P3), and writes the
 * `assistant.started` row that tells streams how much of the turn's text stands.
 */
import { Injectable } from '@nestjs/common';
import type { RowEvent } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import type { PersonaRow } from './persona-row.ts';
import { bookModelCall } from './model-calls.ts';
import { RowAnnouncer } from './row-announcer.ts';
import type { SessionName } from './timeline.ts';
import type { OutboxRow } from './timeline-row.ts';
import { readContext } from './turn-context.ts';
import { assistantRow, insertRow, takeSeq, type TurnOrigin } from './turn-rows.ts';

/** What a finished step of a turn has left. */
export interface TurnStep {
  /** The model's answer of this step, withdrawn or not. */
  text: string;
  /** How much of the turn's text it stands for, in UTF-16 units; 0 where it was withdrawn. */
  kept: number;
  /** Why it has to be made again: what was wrong with the answer. */
  issues?: { path: string; message: string }[];
}

/** A turn in the hands of one worker. Each write of it names `attempt`. */
export interface ClaimedTurn extends TurnOrigin {
  seq: number;
  attempt: number;
  startedSeq: number;
  /** How much of the turn's text so far stands. */
  keep: number;
  /** How often in a row a worker died of it. */
  deaths: number;
  /** How long ago its first attempt began, in milliseconds. */
  ageMs: number;
  /** The message that opened it. */
  request: RowEvent;
  /** Earlier messages and answers, in the order of their turns. */
  history: RowEvent[];
  steps: TurnStep[];
  persona: PersonaRow | null;
  /** W3C headers of the trace in which the message came. */
  traceHeaders: Record<string, string>;
}

interface ClaimableTurn {
  seq: number;
  turn_id: string;
  attempt: number;
  deaths: number;
  age_ms: number;
  has_died: boolean;
  trace_headers: Record<string, string> | null;
}

/** Takes turns for a worker. */
@Injectable()
export class ClaimTurn {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly announcer: RowAnnouncer,
  ) {}

  /**
   * The session's next turn, or null where there is none that can be taken.
   *
   * @param maxPerTenant - The most turns of the tenant at once over all workers; as many workers as
   *   claim in the same instant may exceed it by as much.
   */
  async claim(
    { tenantId, sessionId }: SessionName,
    { workerId, maxPerTenant }: { workerId: string; maxPerTenant: number },
  ): Promise<ClaimedTurn | null> {
    const claim = await this.transaction.run(tenantId, async (manager) => {
      await lockSession(manager, tenantId, sessionId);
      const turn = await findClaimable(manager, { tenantId, sessionId, maxPerTenant });
      return turn === null ? null : takeTurn(manager, { tenantId, sessionId, workerId, turn });
    });
    if (claim === null) {
      return null;
    }
    this.announcer.publish([claim.row]);
    return claim.turn;
  }
}

async function lockSession(
  manager: EntityManager,
  tenantId: string,
  sessionId: string,
): Promise<void> {
  await manager.query(
    `SELECT FROM conversation.sessions WHERE tenant_id = $1 AND session_id = $2 FOR UPDATE`,
    [tenantId, sessionId],
  );
}

async function findClaimable(
  manager: EntityManager,
  { tenantId, sessionId, maxPerTenant }: SessionName & { maxPerTenant: number },
): Promise<ClaimableTurn | null> {
  const [turn] = await manager.query<ClaimableTurn[]>(
    `SELECT seq, turn_id, attempt, deaths, has_died, trace_headers,
            coalesce(extract(epoch FROM clock_timestamp() - first_claimed_at) * 1000, 0)::float8
              AS age_ms
       FROM (SELECT turn.*, turn.owner IS NOT NULL AND NOT EXISTS (
                      SELECT FROM conversation.workers AS worker
                       WHERE worker.worker_id = turn.owner
                         AND worker.expires_at > clock_timestamp()) AS has_died
               FROM conversation.turns AS turn
              WHERE tenant_id = $1 AND session_id = $2
                AND state IN ('pending', 'running', 'waiting')
              ORDER BY seq LIMIT 1) AS oldest
      WHERE (state = 'running' AND has_died)
         OR (ready_at <= clock_timestamp()
             AND $3 > (SELECT count(*) FROM conversation.turns
                        WHERE tenant_id = $1 AND state = 'running' AND owner IS NOT NULL))`,
    [tenantId, sessionId, maxPerTenant],
  );
  return turn ?? null;
}

interface Claim {
  tenantId: string;
  sessionId: string;
  workerId: string;
  turn: ClaimableTurn;
}

async function takeTurn(
  manager: EntityManager,
  claim: Claim,
): Promise<{ turn: ClaimedTurn; row: OutboxRow }> {
  const { tenantId, sessionId, turn } = claim;
  const context = await readContext(manager, { tenantId, sessionId, seq: turn.seq });
  const startedSeq = await takeSeq(manager, tenantId, sessionId);
  if (startedSeq === null) {
    throw new Error('A locked session was deleted under its lock.');
  }
  const attempt = turn.attempt + 1;
  const deaths = turn.deaths + (turn.has_died ? 1 : 0);
  await markRunning(manager, claim, { attempt, deaths, startedSeq });
  const origin = originOf(context.request);
  if (turn.has_died) {
    await bookModelCall(manager, { ...origin, attempt: turn.attempt }, { outcome: 'lost' });
  }
  const keep = context.steps.reduce((sum, { kept }) => sum + kept, 0);
  const content = assistantRow(origin, startedContent(keep));
  const { seq, age_ms: ageMs, trace_headers } = turn;
  const traceHeaders = trace_headers ?? {};
  const row = await insertRow(manager, { content, seq: startedSeq, headers: traceHeaders });
  const taken = { seq, attempt, startedSeq, keep, deaths, ageMs, traceHeaders };
  return { turn: { ...origin, ...context, ...taken }, row };
}

async function markRunning(
  manager: EntityManager,
  { tenantId, sessionId, workerId, turn }: Claim,
  { attempt, deaths, startedSeq }: Pick<ClaimedTurn, 'attempt' | 'deaths' | 'startedSeq'>,
): Promise<void> {
  await manager.query(
    `UPDATE conversation.turns
        SET state = 'running', owner = $4, attempt = $5, deaths = $6, started_seq = $7,
            ready_at = NULL, first_claimed_at = coalesce(first_claimed_at, clock_timestamp())
      WHERE tenant_id = $1 AND session_id = $2 AND seq = $3`,
    [tenantId, sessionId, turn.seq, workerId, attempt, deaths, startedSeq],
  );
}

/** What an `assistant.started` row says. */
export function startedContent(
  keep: number,
): Pick<RowEvent, 'type' | 'message' | 'metadata'> & { keep: number } {
  return { type: 'assistant.started', message: '', metadata: {}, keep };
}

function originOf(request: RowEvent): TurnOrigin {
  return {
    tenantId: request.tenant_id,
    sessionId: request.session_id,
    turnId: request.event_id,
    personaId: request.persona_id,
    subject: request.principal.subject,
  };
}
