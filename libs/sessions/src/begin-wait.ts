import type { ToolCall } from '@soma/contracts';
import type { Write } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import type { ClaimedTurn } from './claim-turn.ts';
import { bodyHash } from './idempotency.ts';
import { bookModelCall, type ModelCallRecord } from './model-calls.ts';
import type { OutboxRow, RowContent } from './timeline-row.ts';
import { leaveRunning, takeSeqOf } from './turn-fence.ts';
import { assistantRow, insertRow } from './turn-rows.ts';
import type { AnswerStep, StepCall } from './turn-step.ts';

/** A call, and how long the turn waits for its result. */
export interface AwaitedCall extends StepCall {
  timeoutMs: number;
}

/** What a turn waits for: a model has asked for tools. */
export interface TurnWait {
  /** The turn's whole text so far. */
  text: string;
  calls: readonly AwaitedCall[];
  /** The model call that asked for them. */
  call: ModelCallRecord;
}

/** A call with the row that starts it, whose id is fixed before the first try. */
interface PreparedCall {
  call: AwaitedCall;
  content: RowContent;
}

/** A `tool.start` row for each call. */
export function prepareCalls(turn: ClaimedTurn, { text, calls }: TurnWait): PreparedCall[] {
  return calls.map((call) => ({
    call,
    content: assistantRow(turn, { type: 'tool.start', message: '', metadata: {}, text }),
  }));
}

/**
 * Saves the step, lets go of the turn, and starts the calls. Each `tool.start` row is the request for
 * its call too, on its way out by the same outbox, so that no call is lost or made up by a crash.
 */
export async function beginWait(
  { manager, write }: { manager: EntityManager; write: Write },
  turn: ClaimedTurn,
  { wait, prepared }: { wait: TurnWait; prepared: readonly PreparedCall[] },
): Promise<OutboxRow[]> {
  const [first, now] = await Promise.all([
    takeSeqOf(manager, turn),
    leaveRunning(manager, turn, `state = 'waiting', owner = NULL, ready_at = NULL, deaths = 0`),
  ]);
  let seq = first;
  insertStep(write, turn, stepOf(turn, wait));
  bookModelCall(write, turn, wait.call);
  const rows: OutboxRow[] = [];
  for (const { call, content } of prepared) {
    const deadline = new Date(now.getTime() + call.timeoutMs).toISOString();
    const tool_call = toToolCall(call, { attempt: turn.attempt, deadline });
    rows.push(insertRow(write, { content: { ...content, tool_call }, seq }));
    write(
      `INSERT INTO conversation.open_calls
         (tenant_id, session_id, call_id, seq, start_seq, attempt, deadline)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [turn.tenantId, turn.sessionId, call.call_id, turn.seq, seq, turn.attempt, deadline],
    );
    if (rows.length < prepared.length) seq = await takeSeqOf(manager, turn);
  }
  return rows;
}

/** Adds a finished step to those that the turn's history has. */
export function insertStep(write: Write, turn: ClaimedTurn, step: AnswerStep): void {
  write(
    `INSERT INTO conversation.turn_steps
       (tenant_id, session_id, seq, step, content, created_at)
     VALUES ($1, $2, $3, $4, $5, clock_timestamp())
     ON CONFLICT DO NOTHING`,
    [turn.tenantId, turn.sessionId, turn.seq, turn.steps.length, JSON.stringify(step)],
  );
}

function stepOf({ keep }: ClaimedTurn, { text, calls }: TurnWait): AnswerStep {
  return {
    text: text.slice(keep),
    kept: text.length - keep,
    calls: calls.map(({ call_id, tool, arguments: given, provider_options }) => ({
      ...{ call_id, tool, arguments: given },
      ...(provider_options && { provider_options }),
    })),
  };
}

function toToolCall(
  { call_id, tool, arguments: given }: AwaitedCall,
  { attempt, deadline }: { attempt: number; deadline: string },
): ToolCall {
  return { call_id, tool, arguments: given, argument_hash: bodyHash(given), attempt, deadline };
}
