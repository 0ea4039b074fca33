import type { EntityManager } from 'typeorm';
import type { ClaimedTurn } from './claim-turn.ts';
import { takeSeq } from './turn-rows.ts';

/** The turn is somebody else's by now, or has ended. What this worker made of it is void. */
export class TurnLostError extends Error {
  override readonly name = 'TurnLostError';
}

/** The session's next `seq`, with its lock. */
export async function takeSeqOf(manager: EntityManager, turn: ClaimedTurn): Promise<number> {
  const seq = await takeSeq(manager, turn.tenantId, turn.sessionId);
  if (seq === null) {
    throw new TurnLostError('The session was deleted.');
  }
  return seq;
}

/**
 * Changes the turn if this attempt still runs it. A worker past its lease that nobody fenced may.
 *
 * @returns When it was, by the database's clock.
 */
export async function leaveRunning(
  manager: EntityManager,
  turn: Pick<ClaimedTurn, 'tenantId' | 'sessionId' | 'seq' | 'attempt'>,
  change: string,
): Promise<Date> {
  const [[left]] = await manager.query<[{ at: Date }[], number]>(
    `UPDATE conversation.turns SET ${change}
      WHERE tenant_id = $1 AND session_id = $2 AND seq = $3 AND attempt = $4 AND state = 'running'
      RETURNING clock_timestamp() AS at`,
    [turn.tenantId, turn.sessionId, turn.seq, turn.attempt],
  );
  if (left === undefined) {
    throw new TurnLostError('The turn was taken over, was cancelled or has ended.');
  }
  return left.at;
}
