/*
 * One heartbeat a second keeps all turns of this worker (rule 14).
 *
 * Each beat answers which turns run in this worker's name. A turn that is worked on here and is not
 * among them was lost: it is stopped. A turn that is among them and is not worked on here, at two
 * beats in a row, came of a claim whose answer never arrived: it is handed back. One beat would not
 * do, for a claim may be on its way.
 *
 * When the beats fail for a whole lease, others may take the turns over, so all are stopped. The
 * fence does not need this; it saves model calls that nobody will see. For the same reason, after a
 * pause of the database nobody takes over before its own beats have succeeded for a whole lease:
 * else every worker would restart the turns of every other.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { newIdentifier, RepeatedWork } from '@soma/kernel';
import { type HeldTurn, WorkerLeases, WriteTurn } from '@soma/sessions';
import { type RunningTurn, RunningTurns, TurnAborted } from './running-turns.ts';
import { TURN_LIMITS, type TurnLimits } from './turn-limits.ts';

const BEAT_MS = 1_000;

/** Keeps this worker's lease. */
@Injectable()
export class LeaseKeeper {
  /** New at every start of the process: what ran under an earlier one is nobody's. */
  readonly workerId = newIdentifier();
  private readonly logger = new Logger(LeaseKeeper.name);
  private readonly beating = new RepeatedWork({
    everyMs: BEAT_MS,
    // A lease is lost by silence: a beat that failed is no reason to beat less often.
    maxPauseMs: BEAT_MS,
    act: () => this.beat(),
    onFailure: (error) => {
      this.onMissedBeat(error);
    },
  });
  /** By this process's own clock: when the last beat began that succeeded. */
  private lastBeat = 0;
  /** Since when every beat has succeeded. */
  private steadySince: number | null = null;
  /** What was held and not worked on at the last beat. */
  private strays = new Set<string>();

  constructor(
    @Inject(TURN_LIMITS) private readonly limits: TurnLimits,
    private readonly leases: WorkerLeases,
    private readonly turns: WriteTurn,
    private readonly running: RunningTurns,
  ) {}

  /** Whether this worker holds a lease, without which a claim would be abandoned at once. */
  get holdsLease(): boolean {
    return this.steadySince !== null && this.now() - this.lastBeat < this.limits.LEASE_MS;
  }

  /** Whether turns of workers that look dead may be taken over. */
  get mayTakeOver(): boolean {
    return this.steadySince !== null && this.now() - this.steadySince >= this.limits.LEASE_MS;
  }

  start(): void {
    this.beating.start();
  }

  /** Ends the lease. The turns must have been let go of before. */
  async end(): Promise<void> {
    await this.beating.stop();
    await this.leases.end(this.workerId);
  }

  private async beat(): Promise<void> {
    const begun = this.now();
    const workedOn = this.running.all();
    const held = await this.leases.beat(this.workerId, this.limits.LEASE_MS);
    // A pause of the database shows as a beat that takes long, and not as one that fails.
    const hasPaused = this.now() - this.lastBeat >= this.limits.LEASE_MS;
    this.steadySince = hasPaused ? this.now() : (this.steadySince ?? begun);
    this.lastBeat = begun;
    const names = new Set(held.map(nameOf));
    stopAll(workedOn.filter((turn) => !names.has(nameOf(turn))));
    await this.handBackStrays(held);
  }

  private onMissedBeat(error: unknown): void {
    this.logger.warn({ error, message: 'A heartbeat failed.' });
    this.steadySince = null;
    if (this.now() - this.lastBeat >= this.limits.LEASE_MS) stopAll(this.running.all());
  }

  private async handBackStrays(held: HeldTurn[]): Promise<void> {
    const strays = held.filter((turn) => !this.running.isWorkedOn(turn));
    const again = strays.filter((turn) => this.strays.has(attemptOf(turn)));
    this.strays = new Set(strays.map(attemptOf));
    for (const turn of again) {
      this.logger.warn({ session_id: turn.sessionId, message: 'A stray turn is handed back.' });
      // Whoever has taken it meanwhile may have it.
      await this.turns.handBack(turn).catch((error: unknown) => {
        this.logger.debug({ error, message: 'A stray turn was gone already.' });
      });
    }
  }

  private now(): number {
    return performance.now();
  }
}

function stopAll(turns: RunningTurn[]): void {
  turns.forEach(({ stop }) => {
    stop.abort(new TurnAborted('lost'));
  });
}

function nameOf({ tenantId, sessionId, seq }: Omit<HeldTurn, 'attempt'>): string {
  return `${tenantId}:${sessionId}:${seq}`;
}

function attemptOf(turn: HeldTurn): string {
  return `${nameOf(turn)}:${turn.attempt}`;
}
