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
import { TenantTransaction, type Write } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import type { CallUsage } from './model-calls.ts';
import type { PersonaRow } from './persona-row.ts';
import { RowAnnouncer } from './row-announcer.ts';
import type { SessionName } from './timeline.ts';
import type { OutboxRow } from './timeline-row.ts';
import { type ClaimableTurn, findClaimable } from './find-claimable.ts';
import { assistantRow, INSERT_ROW, prepareRow, type TurnOrigin } from './turn-rows.ts';
import { keptLength, type TurnStep } from './turn-step.ts';

/** The beginning of a session in a few words. */
export interface SessionSummary {
  /** The `seq` of the message whose turn is the last that is covered. */
  throughSeq: number;
  text: string;
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
  /** What was said before `history`; null where nothing was, or nobody has summarised it yet. */
  summary: SessionSummary | null;
  /** Messages and answers since, in the order of their turns: the newest of them. */
  history: RowEvent[];
  /** Whether there may be messages that are neither in the summary nor in `history`. */
  hasOlder: boolean;
  /** What its model calls have used so far, as far as anybody knows. */
  usage: CallUsage;
  steps: TurnStep[];
  persona: PersonaRow | null;
  /** W3C headers of the trace in which the message came. */
  traceHeaders: Record<string, string>;
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
    const claim = await this.transaction.run(tenantId, async (manager, write) => {
      // Sent together: the second statement runs when the first has the lock, and not before.
      const [lastSeq, turn] = await Promise.all([
        lockSession(manager, { tenantId, sessionId }),
        findClaimable(manager, { tenantId, sessionId, maxPerTenant }),
      ]);
      return turn === null || lastSeq === null
        ? null
        : takeTurn(write, turn, { workerId, startedSeq: lastSeq + 1 });
    });
    if (claim === null) {
      return null;
    }
    this.announcer.publish([claim.row]);
    return claim.turn;
  }
}

/** @returns The last `seq`; null where the session is unknown or deleted. */
async function lockSession(
  manager: EntityManager,
  { tenantId, sessionId }: SessionName,
): Promise<number | null> {
  const [session] = await manager.query<{ last_seq: number }[]>(
    `SELECT last_seq FROM conversation.sessions
      WHERE tenant_id = $1 AND session_id = $2 AND deleted_at IS NULL FOR UPDATE`,
    [tenantId, sessionId],
  );
  return session?.last_seq ?? null;
}

/** Everything in one statement: a person waits for the first word. */
function takeTurn(
  write: Write,
  turn: ClaimableTurn,
  { workerId, startedSeq }: { workerId: string; startedSeq: number },
): { turn: ClaimedTurn; row: OutboxRow } {
  const { hasDied, traceHeaders, ...found } = turn;
  const keep = keptLength(found.steps);
  const deaths = found.deaths + (hasDied ? 1 : 0);
  const attempt = found.attempt + 1;
  const content = assistantRow(turn, startedContent(keep));
  const { row, values } = prepareRow(content, { seq: startedSeq, headers: traceHeaders });
  write(TAKE_TURN, [...values, found.seq, workerId, attempt, deaths, hasDied]);
  return { turn: { ...found, attempt, deaths, startedSeq, keep, traceHeaders }, row };
}

/** What an `assistant.started` row says. */
export function startedContent(
  keep: number,
): Pick<RowEvent, 'type' | 'message' | 'metadata'> & { keep: number } {
  return { type: 'assistant.started', message: '', metadata: {}, keep };
}

// $1 to $8 are the row's. The call of an attempt whose worker died is booked as lost, once.
const TAKE_TURN = `
  WITH row AS (${INSERT_ROW}), session AS (
    UPDATE conversation.sessions SET last_seq = $3, updated_at = clock_timestamp()
     WHERE tenant_id = $1 AND session_id = $2
  ), lost AS (
    INSERT INTO conversation.model_calls
      (tenant_id, session_id, turn_id, attempt, outcome, occurred_at)
    SELECT $1, $2, $5, $11 - 1, 'lost', clock_timestamp() WHERE $13
    ON CONFLICT DO NOTHING
  )
  UPDATE conversation.turns
     SET state = 'running', owner = $10, attempt = $11, deaths = $12, started_seq = $3,
         ready_at = NULL, first_claimed_at = coalesce(first_claimed_at, clock_timestamp())
   WHERE tenant_id = $1 AND session_id = $2 AND seq = $9`;
