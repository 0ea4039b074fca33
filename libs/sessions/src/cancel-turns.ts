import { Injectable } from '@nestjs/common';
import { type Cancelled, formatCursor, type Principal } from '@soma/contracts';
import { newIdentifier, Problem } from '@soma/kernel';
import { TenantTransaction, type Write } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { answerOnce, type Idempotency } from './idempotency.ts';
import { sessionNotFound, turnEnded } from './problems.ts';
import { RowAnnouncer } from './row-announcer.ts';
import type { OutboxRow, RowContent } from './timeline-row.ts';
import { assistantRow, insertRow, readyNextTurn, takeSeq } from './turn-rows.ts';

/** Which turn is to end. */
export interface CancelTurnRequest {
  principal: Principal;
  sessionId: string;
  /** Omitted: the one that runs or waits. Queued ones stay. */
  turnId?: string | undefined;
  idempotency?: Idempotency | undefined;
}

interface Outcome {
  cancelled: Cancelled;
  rows: OutboxRow[];
}

/** Ends turns at a person's wish, on any pod: whoever commits first, this or the answer, wins. */
@Injectable()
export class CancelTurns {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly announcer: RowAnnouncer,
  ) {}

  /**
   * @throws {@link Problem} 404 `session_not_found` or `turn_not_found`, 409 `turn_ended`,
   *   409 `idempotency_conflict`
   */
  async cancel(request: CancelTurnRequest): Promise<Cancelled> {
    const { principal } = request;
    const { cancelled, rows } = await this.transaction.run(principal.tenant_id, (manager, write) =>
      this.#cancelOnce(manager, write, request),
    );
    this.announcer.publish(rows);
    return cancelled;
  }

  async #cancelOnce(
    manager: EntityManager,
    write: Write,
    request: CancelTurnRequest,
  ): Promise<Outcome> {
    const { principal, sessionId, idempotency } = request;
    const key = idempotency && { ...idempotency, subject: principal.subject, sessionId };
    // A repeat announces nothing: the rows were the first request's.
    let rows: Outcome['rows'] = [];
    const cancelled = await answerOnce(
      manager,
      { tenantId: principal.tenant_id, key },
      async () => {
        const outcome = await cancelTurn(manager, write, request);
        rows = outcome.rows;
        return outcome.cancelled;
      },
    );
    return { cancelled, rows };
  }
}

async function cancelTurn(
  manager: EntityManager,
  write: Write,
  request: CancelTurnRequest,
): Promise<Outcome> {
  const { principal, sessionId } = request;
  const tenantId = principal.tenant_id;
  // The lock comes first. Where nothing can be cancelled, the rollback gives the seq back.
  const seq = await takeSeq(manager, tenantId, sessionId);
  if (seq === null) {
    throw sessionNotFound(sessionId);
  }
  const turn = await endTurn(manager, request);
  readyNextTurn(write, tenantId, sessionId);
  const content = cancelledRow(request, turn);
  const row = insertRow(write, { content, seq });
  return {
    cancelled: {
      session_id: sessionId,
      turn_id: turn.turn_id,
      event_id: content.event_id,
      cursor: formatCursor({ seq, offset: 0 }),
    },
    rows: [row],
  };
}

function cancelledRow(
  { principal, sessionId }: CancelTurnRequest,
  turn: { turn_id: string; persona_id: string | null },
): RowContent {
  return assistantRow(
    {
      tenantId: principal.tenant_id,
      sessionId,
      turnId: turn.turn_id,
      personaId: turn.persona_id,
      subject: principal.subject,
    },
    { event_id: newIdentifier(), type: 'assistant.cancelled', message: '', metadata: {} },
  );
}

async function endTurn(
  manager: EntityManager,
  { principal, sessionId, turnId }: CancelTurnRequest,
): Promise<{ turn_id: string; persona_id: string | null }> {
  const [turn] = await manager.query<{ turn_id: string; persona_id: string | null }[]>(
    CANCEL_TURN,
    [principal.tenant_id, sessionId, turnId ?? null],
  );
  if (turn !== undefined) {
    return turn;
  }
  const ended = await manager.query<unknown[]>(
    `SELECT FROM conversation.turns
      WHERE tenant_id = $1 AND session_id = $2 AND (turn_id = $3 OR $3::text IS NULL)`,
    [principal.tenant_id, sessionId, turnId ?? null],
  );
  if (ended.length === 0 && turnId !== undefined) {
    throw new Problem({
      status: 404,
      code: 'turn_not_found',
      detail: `The session has no turn "${turnId}". Pass the event_id of the message that opened it.`,
    });
  }
  throw turnEnded();
}

// What the turn waited for is waited for no longer: a result that comes yet is ignored.
const CANCEL_TURN = `
  WITH cancelled AS (
    UPDATE conversation.turns AS turn
       SET state = 'cancelled', attempt = attempt + 1, owner = NULL, ready_at = NULL
     WHERE tenant_id = $1 AND session_id = $2
       AND (turn_id = $3 OR $3::text IS NULL AND state IN ('running', 'waiting'))
       AND state IN ('pending', 'running', 'waiting')
    RETURNING turn_id, seq
  ), closed AS (
    DELETE FROM conversation.open_calls
     WHERE tenant_id = $1 AND session_id = $2 AND seq = (SELECT seq FROM cancelled)
  )
  SELECT turn_id, persona_id FROM cancelled, conversation.sessions
   WHERE tenant_id = $1 AND session_id = $2`;
