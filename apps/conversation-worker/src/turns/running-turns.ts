import { Injectable } from '@nestjs/common';
import type { ClaimedTurn, HeldTurn, SessionName } from '@soma/sessions';

/** A turn that this worker runs. */
export interface RunningTurn {
  tenantId: string;
  sessionId: string;
  seq: number;
  /** Aborts with a {@link TurnAborted} that says why. */
  stop: AbortController;
  /** Settles when the run has let go of the turn; never rejects. */
  ended: Promise<void>;
}

/** Why a running turn has to stop. */
export class TurnAborted extends Error {
  override readonly name = 'TurnAborted';

  /**
   * @param reason - `lost`: it is somebody else's or has ended. `stopping`: this worker ends.
   *   `expired`: it has become too old.
   */
  constructor(readonly reason: 'lost' | 'stopping' | 'expired') {
    super(`A turn was stopped: ${reason}.`);
  }
}

/** What this worker works on: at most one turn of a session. */
@Injectable()
export class RunningTurns {
  private readonly bySession = new Map<string, RunningTurn>();

  get size(): number {
    return this.bySession.size;
  }

  all(): RunningTurn[] {
    return [...this.bySession.values()];
  }

  has(session: SessionName): boolean {
    return this.bySession.has(nameOf(session));
  }

  /** Whether this very turn is being worked on. */
  isWorkedOn(held: HeldTurn): boolean {
    return this.bySession.get(nameOf(held))?.seq === held.seq;
  }

  /** Keeps the turn until its run has ended. */
  add({ tenantId, sessionId, seq }: ClaimedTurn, stop: AbortController, run: Promise<void>): void {
    const name = nameOf({ tenantId, sessionId });
    const ended = run.finally(() => this.bySession.delete(name));
    this.bySession.set(name, { tenantId, sessionId, seq, stop, ended });
  }
}

function nameOf({ tenantId, sessionId }: SessionName): string {
  return `${tenantId}:${sessionId}`;
}
