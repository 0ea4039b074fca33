/*
 * Decides which turns this worker runs, and when.
 *
 * A record of `conversation.inbound` only wakes: while there is room and nothing else waits, its
 * session is claimed at once. Whatever is not claimed that way (no room, a lost record, a dead or
 * stopped worker) is found by a sweep, which is fair across tenants: whoever comes while others wait
 * takes no slot before them. A full worker reads on and claims nothing, so that nothing slow holds a
 * partition (P5).
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { RepeatedWork, sleep } from '@soma/kernel';
import { gauge } from '@soma/observability';
import { type ClaimedTurn, ClaimTurn, FindTurns, type SessionName } from '@soma/sessions';
import { LeaseKeeper } from './lease-keeper.ts';
import { RunTurn } from './run-turn.ts';
import { RunningTurns, TurnAborted } from './running-turns.ts';
import { TURN_LIMITS, type TurnLimits } from './turn-limits.ts';

const SWEEP_MS = 250;

/** Runs turns until it is told to stop. */
@Injectable()
export class TurnScheduler {
  private readonly logger = new Logger(TurnScheduler.name);
  private readonly stopping = new AbortController();
  private readonly sweeping = new RepeatedWork({
    everyMs: SWEEP_MS,
    // A turn that waits is found as quickly after a fault as before it.
    maxPauseMs: SWEEP_MS,
    act: () => this.sweep(),
    onFailure: (error) => {
      this.logger.warn({ error, message: 'A sweep for turns failed.' });
    },
  });
  /** Claims on their way; each may become a running turn. */
  private claiming = 0;
  /** Whether there may be more turns to take than there was room for. */
  private othersWait = false;

  constructor(
    @Inject(TURN_LIMITS) private readonly limits: TurnLimits,
    private readonly claims: ClaimTurn,
    private readonly find: FindTurns,
    private readonly lease: LeaseKeeper,
    private readonly runTurn: RunTurn,
    private readonly running: RunningTurns,
  ) {
    gauge({
      name: 'soma_turns_running',
      help: 'Turns that this worker runs',
      collect() {
        this.set(running.size);
      },
    });
    gauge({
      name: 'soma_turns_unfinished',
      help: 'Turns of all workers that have not ended, as the database knows them',
      labelNames: ['state'],
      async collect() {
        // Without the database there is nothing to tell; the other metrics are still wanted.
        const counts = await find.count().catch(() => ({}));
        Object.entries(counts).forEach(([state, count]) => {
          this.set({ state }, count);
        });
      },
    });
  }

  start(): void {
    this.lease.start();
    this.sweeping.start();
  }

  /** Sessions have got a message. It returns at once. */
  wake(sessions: readonly SessionName[]): void {
    for (const session of sessions) {
      if (this.othersWait || this.room <= 0) {
        this.letWait();
      } else if (this.lease.holdsLease && !this.running.has(session)) {
        void this.claim(session);
      }
    }
  }

  /** The next sweep decides who comes next; with no room there is nothing to decide yet. */
  private letWait(): void {
    this.othersWait = true;
    if (this.room > 0) this.sweeping.wake();
  }

  /**
   * Claims nothing more, lets turns finish for a while, and hands the rest back, so that other
   * workers go on with them at once (rule 18).
   */
  async drain(): Promise<void> {
    this.stopping.abort();
    await this.sweeping.stop();
    const all = () => Promise.all(this.running.all().map(({ ended }) => ended));
    await Promise.race([all(), sleep(this.limits.DRAIN_MS)]);
    this.running.all().forEach(({ stop }) => {
      stop.abort(new TurnAborted('stopping'));
    });
    await all();
    await this.lease.end();
  }

  private get room(): number {
    const isOpen = !this.stopping.signal.aborted;
    return isOpen ? this.limits.MAX_TURNS - this.running.size - this.claiming : 0;
  }

  private async sweep(): Promise<void> {
    if (this.room <= 0 || !this.lease.holdsLease) {
      return;
    }
    const share = {
      maxPerTenant: this.limits.MAX_TURNS_PER_TENANT,
      weights: this.limits.TENANT_WEIGHTS,
    };
    const { room } = this;
    const ready = await this.find.ready(room, share);
    this.othersWait = ready.length === room;
    const abandoned = this.lease.mayTakeOver ? await this.find.abandoned(this.room) : [];
    const free = [...abandoned, ...ready].filter((session) => !this.running.has(session));
    await Promise.all(free.slice(0, Math.max(0, this.room)).map((session) => this.claim(session)));
  }

  private async claim(session: SessionName): Promise<void> {
    this.claiming++;
    try {
      const turn = await this.claims.claim(session, {
        workerId: this.lease.workerId,
        maxPerTenant: this.limits.MAX_TURNS_PER_TENANT,
      });
      if (turn !== null) this.begin(turn);
    } catch (error) {
      // The turn is still there, and the sweep finds it again.
      this.logger.warn({ error, session_id: session.sessionId, message: 'A claim failed.' });
    } finally {
      this.claiming--;
    }
  }

  private begin(turn: ClaimedTurn): void {
    const stop = new AbortController();
    const run = this.runTurn.execute(turn, stop.signal).finally(() => {
      this.goOn(turn);
    });
    this.running.add(turn, stop, run);
    if (this.stopping.signal.aborted) stop.abort(new TurnAborted('stopping'));
  }

  /** A slot is free. With room to spare, and nobody else who waits, the session's next turn comes. */
  private goOn(session: SessionName): void {
    const isNextAtOnce = this.room > 1 && !this.othersWait;
    // After this, when the turn that ended has left the list.
    setImmediate(() => {
      if (isNextAtOnce) {
        this.wake([session]);
      } else {
        this.sweeping.wake();
      }
    });
  }
}
