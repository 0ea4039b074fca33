/*
 * The results of calls, for turns that wait.
 *
 * A result counts while its turn waits at the attempt that asked for it and the call is open; the
 * row of `open_calls` goes in the commit that stores the result, so a call has one result, whoever
 * says it first: the tool, or the clock. The turn is ready once none of its calls is open. Whatever
 * else arrives, repeated or late, changes nothing.
 */
import { Injectable } from '@nestjs/common';
import type { RowEvent, ToolOutcome } from '@soma/contracts';
import { newIdentifier } from '@soma/kernel';
import { SweepTransaction, TenantTransaction, type Write } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { RowAnnouncer } from './row-announcer.ts';
import type { SessionName } from './timeline.ts';
import type { OutboxRow, RowContent } from './timeline-row.ts';
import { insertRow, takeSeq } from './turn-rows.ts';
import type { ResultStep } from './turn-step.ts';

/** A call that is or was waited for. */
export interface CallName extends SessionName {
  callId: string;
  /** At which its turn waits. */
  attempt: number;
}

/** What became of a call. */
export interface CallResult extends CallName {
  outcome: Omit<ToolOutcome, 'call_id'>;
}

/** What was made of a batch of results. */
export interface StoredResults {
  /** How many counted; the others were late or repeated. */
  count: number;
  /** Sessions whose turn waits for nothing more. */
  ready: SessionName[];
}

/** Stores the results of calls. */
@Injectable()
export class ToolResults {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly sweep: SweepTransaction,
    private readonly announcer: RowAnnouncer,
  ) {}

  /** All in one transaction. */
  async store(results: readonly CallResult[]): Promise<StoredResults> {
    const byTenant = Map.groupBy(results, ({ tenantId }) => tenantId);
    const stored = await this.transaction.runEach(
      [...byTenant.keys()].sort(),
      (manager, tenantId, write) =>
        storeOfTenant({ manager, write }, tenantId, byTenant.get(tenantId) ?? []),
    );
    const rows = stored.flatMap((each) => each.rows);
    this.announcer.publish(rows);
    return { count: rows.length, ready: stored.flatMap((each) => each.ready) };
  }

  /** Calls of all tenants that are open past their deadline. */
  overdue(limit: number): Promise<CallName[]> {
    return this.sweep.run((manager) =>
      manager.query<CallName[]>(
        `SELECT tenant_id AS "tenantId", session_id AS "sessionId", call_id AS "callId", attempt
           FROM conversation.open_calls WHERE deadline <= statement_timestamp()
          ORDER BY deadline LIMIT $1`,
        [limit],
      ),
    );
  }
}

interface ClosedCall {
  session_id: string;
  seq: number;
  call_id: string;
  /** The `tool.start` row. */
  start: RowEvent;
}

interface Statements {
  manager: EntityManager;
  write: Write;
}

async function storeOfTenant(
  { manager, write }: Statements,
  tenantId: string,
  results: readonly CallResult[],
): Promise<{ rows: OutboxRow[]; ready: SessionName[] }> {
  const sessionIds = await lockSessions(manager, tenantId, results);
  const closed = await closeCalls(manager, tenantId, results);
  const rows: OutboxRow[] = [];
  for (const call of closed) {
    const result = results.find(
      ({ sessionId, callId, attempt }) =>
        sessionId === call.session_id &&
        callId === call.call_id &&
        attempt === call.start.tool_call?.attempt,
    );
    if (result !== undefined) rows.push(await writeResult({ manager, write }, call, result));
  }
  return { rows, ready: await readyTurns(manager, tenantId, sessionIds) };
}

/** Sorted, as everybody locks them. */
async function lockSessions(
  manager: EntityManager,
  tenantId: string,
  results: readonly CallResult[],
): Promise<string[]> {
  const sessions = await manager.query<{ session_id: string }[]>(
    `SELECT session_id FROM conversation.sessions
      WHERE tenant_id = $1 AND session_id = ANY ($2) AND deleted_at IS NULL
      ORDER BY session_id COLLATE "C" FOR UPDATE`,
    [tenantId, results.map(({ sessionId }) => sessionId)],
  );
  return sessions.map(({ session_id }) => session_id);
}

/** The fence: only a call that is open, of a turn that waits at the attempt that the result names. */
async function closeCalls(
  manager: EntityManager,
  tenantId: string,
  results: readonly CallResult[],
): Promise<ClosedCall[]> {
  const [closed] = await manager.query<[ClosedCall[], number]>(
    `DELETE FROM conversation.open_calls AS open
      USING unnest($2::text[], $3::text[], $4::int[]) AS result (session_id, call_id, attempt),
            conversation.turns AS turn, conversation.session_events AS start
      WHERE open.tenant_id = $1
        AND (open.session_id, open.call_id, open.attempt)
          = (result.session_id, result.call_id, result.attempt)
        AND (turn.tenant_id, turn.session_id, turn.seq) = ($1, open.session_id, open.seq)
        AND turn.state = 'waiting' AND turn.attempt = open.attempt
        AND (start.tenant_id, start.session_id, start.seq) = ($1, open.session_id, open.start_seq)
      RETURNING open.session_id, open.seq, open.call_id, start.envelope AS start`,
    [
      tenantId,
      results.map(({ sessionId }) => sessionId),
      results.map(({ callId }) => callId),
      results.map(({ attempt }) => attempt),
    ],
  );
  return closed;
}

/** The result as a row for everybody who reads the session, and as a step of its turn. */
async function writeResult(
  { manager, write }: Statements,
  { session_id, seq: turnSeq, start }: ClosedCall,
  { tenantId, callId: call_id, outcome }: CallResult,
): Promise<OutboxRow> {
  const seq = await takeSeq(manager, tenantId, session_id);
  if (seq === null) {
    throw new Error('A session was deleted under its lock.');
  }
  const { turn_id, persona_id, principal } = start;
  const content: RowContent = {
    tenant_id: tenantId,
    session_id,
    turn_id,
    persona_id,
    principal,
    event_id: newIdentifier(),
    type: 'tool.result',
    role: 'tool',
    message: '',
    metadata: {},
    tool_result: { call_id, ...outcome },
  };
  const { status, output } = outcome;
  const step: ResultStep = { call_id, status, output };
  write(ADD_STEP, [tenantId, session_id, turnSeq, JSON.stringify(step)]);
  return insertRow(write, { content, seq });
}

async function readyTurns(
  manager: EntityManager,
  tenantId: string,
  sessionIds: readonly string[],
): Promise<SessionName[]> {
  const [ready] = await manager.query<[SessionName[], number]>(
    `UPDATE conversation.turns AS turn SET ready_at = clock_timestamp()
      WHERE tenant_id = $1 AND session_id = ANY ($2) AND state = 'waiting' AND ready_at IS NULL
        AND NOT EXISTS (
          SELECT FROM conversation.open_calls AS open
           WHERE (open.tenant_id, open.session_id, open.seq)
               = (turn.tenant_id, turn.session_id, turn.seq))
      RETURNING tenant_id AS "tenantId", session_id AS "sessionId"`,
    [tenantId, sessionIds],
  );
  return ready;
}

const ADD_STEP = `
  INSERT INTO conversation.turn_steps (tenant_id, session_id, seq, step, content, created_at)
  SELECT $1, $2, $3, coalesce(max(step) + 1, 0), $4, clock_timestamp()
    FROM conversation.turn_steps WHERE tenant_id = $1 AND session_id = $2 AND seq = $3`;
