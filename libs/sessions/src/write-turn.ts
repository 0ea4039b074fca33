/*
 * What a worker writes of a turn that it holds.
 *
 * The fence is in the database alone: each write names the turn's `attempt` and the state it leaves,
 * and changes nothing where either has moved on (P3). When the outcome of a commit is unknown, the
 * write is repeated; a repeat that fails at the fence first looks for its own row, because the
 * attempt that it lost may have been won by itself.
 */
import { Injectable } from '@nestjs/common';
import type { RowEvent } from '@soma/contracts';
import { retryTransient, TransientError } from '@soma/kernel';
import { isDatabaseFault, TenantTransaction, type Write } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { beginWait, insertStep, prepareCalls, type TurnWait } from './begin-wait.ts';
import { type ClaimedTurn, type SessionSummary, startedContent } from './claim-turn.ts';
import { addUsage, bookModelCall, type ModelCallRecord } from './model-calls.ts';
import { RowAnnouncer } from './row-announcer.ts';
import type { OutboxRow, RowContent } from './timeline-row.ts';
import { leaveRunning, takeSeqOf, TurnLostError } from './turn-fence.ts';
import { assistantRow, insertRow, readyNextTurn } from './turn-rows.ts';
import type { AnswerStep } from './turn-step.ts';

/** How often a write is tried while the database does not answer: for about a minute. */
const WRITE_ATTEMPTS = 12;

/** How a turn ends. */
export interface TurnEnding {
  state: 'done' | 'failed';
  row: Pick<RowEvent, 'type' | 'message' | 'metadata'>;
  call?: ModelCallRecord;
}

type Work<Result> = (manager: EntityManager, write: Write) => Promise<Result>;

// The `seq` of the row that the same transaction writes: taken by now, under the session's lock.
const RESTART = `attempt = attempt + 1, started_seq = (
  SELECT last_seq FROM conversation.sessions AS session
   WHERE (session.tenant_id, session.session_id) = (turns.tenant_id, turns.session_id))`;

const SAVE_SUMMARY = `
  INSERT INTO conversation.session_summaries (tenant_id, session_id, through_seq, summary)
  VALUES ($1, $2, $3, $4)
  ON CONFLICT (tenant_id, session_id)
    DO UPDATE SET through_seq = EXCLUDED.through_seq, summary = EXCLUDED.summary`;

interface WrittenRows {
  content: RowContent;
  work: Work<OutboxRow[]>;
}

/** Every method throws {@link TurnLostError} when the turn is no longer this attempt's. */
@Injectable()
export class WriteTurn {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly announcer: RowAnnouncer,
  ) {}

  /** Ends the turn with its last row, and lets the session's next turn be taken. */
  async end(
    turn: ClaimedTurn,
    { state, row, call }: TurnEnding,
    signal?: AbortSignal,
  ): Promise<void> {
    const content = assistantRow(turn, row);
    const work = async (manager: EntityManager, write: Write): Promise<OutboxRow[]> => {
      const [seq] = await Promise.all([
        takeSeqOf(manager, turn),
        leaveRunning(manager, turn, `state = '${state}', owner = NULL, ready_at = NULL`),
      ]);
      readyNextTurn(write, turn.tenantId, turn.sessionId);
      if (call !== undefined) {
        bookModelCall(write, turn, call);
      }
      return [insertRow(write, { content, seq })];
    };
    await this.#writeRows(turn, { content, work }, signal);
  }

  /** Lets go of the turn until there is a result of each call that its model has asked for. */
  async wait(turn: ClaimedTurn, wait: TurnWait, signal?: AbortSignal): Promise<void> {
    const prepared = prepareCalls(turn, wait);
    const [first] = prepared;
    if (first === undefined) {
      throw new Error('A turn waits for a call at least.');
    }
    const work = (manager: EntityManager, write: Write): Promise<OutboxRow[]> =>
      beginWait({ manager, write }, turn, { wait, prepared });
    await this.#writeRows(turn, { content: first.content, work }, signal);
  }

  /**
   * Begins another attempt in the same hands: text was streamed, and the model has to be called
   * again (rule 16).
   *
   * @returns The turn under its new attempt.
   */
  async restart(
    turn: ClaimedTurn,
    call: ModelCallRecord,
    signal?: AbortSignal,
  ): Promise<ClaimedTurn> {
    const content = assistantRow(turn, startedContent(turn.keep));
    let startedSeq = 0;
    const work = async (manager: EntityManager, write: Write): Promise<OutboxRow[]> => {
      [startedSeq] = await Promise.all([
        takeSeqOf(manager, turn),
        leaveRunning(manager, turn, RESTART),
      ]);
      bookModelCall(write, turn, call);
      return [insertRow(write, { content, seq: startedSeq })];
    };
    const stored = await this.#writeRows(turn, { content, work }, signal);
    return {
      ...turn,
      attempt: turn.attempt + 1,
      startedSeq: stored ?? startedSeq,
      usage: addUsage(turn.usage, call.usage),
    };
  }

  /** Keeps a finished step. A later attempt goes on after it, and earlier deaths are forgiven. */
  async saveStep(turn: ClaimedTurn, step: AnswerStep, signal?: AbortSignal): Promise<ClaimedTurn> {
    await this.#retry(turn, signal, async (manager, write) => {
      await leaveRunning(manager, turn, 'deaths = 0');
      insertStep(write, turn, step);
    });
    return { ...turn, deaths: 0, steps: [...turn.steps, step], keep: turn.keep + step.kept };
  }

  /**
   * Keeps a summary of the session, which covers more than the one before, and books the call that
   * made it, where there was one.
   */
  async saveSummary(
    turn: ClaimedTurn,
    { call, ...summary }: SessionSummary & { call?: ModelCallRecord },
    signal?: AbortSignal,
  ): Promise<ClaimedTurn> {
    await this.#retry(turn, signal, async (manager, write) => {
      // It changes nothing of the turn, but locks it: a deletion of the session waits, and erases both.
      await leaveRunning(manager, turn, 'attempt = attempt');
      write(SAVE_SUMMARY, [turn.tenantId, turn.sessionId, summary.throughSeq, summary.text]);
      if (call !== undefined) {
        bookModelCall(write, turn, call);
      }
    });
    return { ...turn, summary, usage: addUsage(turn.usage, call?.usage) };
  }

  /** Lets another worker go on at once. It does not count as a death. */
  async handBack(
    turn: Pick<ClaimedTurn, 'tenantId' | 'sessionId' | 'seq' | 'attempt'>,
  ): Promise<void> {
    await this.transaction.run(turn.tenantId, (manager) =>
      leaveRunning(manager, turn, 'owner = NULL, ready_at = clock_timestamp()'),
    );
  }

  /** Books the call of an attempt that was cut from outside, where nobody else has. */
  async bookLostCall(turn: ClaimedTurn): Promise<void> {
    await this.transaction.run(turn.tenantId, (_manager, write) => {
      bookModelCall(write, turn, { outcome: 'lost' });
      return Promise.resolve();
    });
  }

  /**
   * @param written - `content` is that of the first row.
   * @returns Its `seq` where an earlier try, whose outcome was unknown, had stored it.
   */
  async #writeRows(
    turn: ClaimedTurn,
    { content, work }: WrittenRows,
    signal?: AbortSignal,
  ): Promise<number | null> {
    try {
      const rows = await this.#retry(turn, signal, work);
      this.announcer.publish(rows);
      return null;
    } catch (error) {
      const seq = error instanceof TurnLostError ? await this.#findOwnRow(turn, content) : null;
      if (seq === null) {
        throw error;
      }
      return seq;
    }
  }

  #retry<Result>(
    turn: ClaimedTurn,
    signal: AbortSignal | undefined,
    work: Work<Result>,
  ): Promise<Result> {
    const attempt = async (): Promise<Result> => {
      try {
        return await this.transaction.run(turn.tenantId, work);
      } catch (error) {
        throw isDatabaseFault(error)
          ? new TransientError('A write of a turn', { cause: error })
          : error;
      }
    };
    return retryTransient(attempt, { attempts: WRITE_ATTEMPTS, ...(signal && { signal }) });
  }

  async #findOwnRow(turn: ClaimedTurn, { event_id }: RowContent): Promise<number | null> {
    const [row] = await this.transaction.run(turn.tenantId, (manager) =>
      manager.query<{ seq: number }[]>(
        `SELECT seq FROM conversation.session_events
          WHERE tenant_id = $1 AND session_id = $2 AND seq > $3 AND event_id = $4`,
        [turn.tenantId, turn.sessionId, turn.startedSeq, event_id],
      ),
    );
    return row?.seq ?? null;
  }
}
