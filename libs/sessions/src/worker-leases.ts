import { Injectable } from '@nestjs/common';
import { SweepTransaction } from '@soma/persistence';

/** A turn that runs in a worker's name. */
export interface HeldTurn {
  tenantId: string;
  sessionId: string;
  seq: number;
  attempt: number;
}

/** One lease per worker, and not per turn: a beat costs the same however many turns it holds. */
@Injectable()
export class WorkerLeases {
  constructor(private readonly sweep: SweepTransaction) {}

  /**
   * Renews the worker's lease by the database's own clock.
   *
   * @param workerId - New at every start of the process.
   * @returns What runs in its name as the database knows it.
   */
  beat(workerId: string, leaseMs: number): Promise<HeldTurn[]> {
    return this.sweep.run(async (manager) => {
      await manager.query(
        `INSERT INTO conversation.workers (worker_id, expires_at)
         VALUES ($1, clock_timestamp() + make_interval(secs => $2 / 1000.0))
         ON CONFLICT (worker_id) DO UPDATE SET expires_at = EXCLUDED.expires_at`,
        [workerId, leaseMs],
      );
      return manager.query<HeldTurn[]>(
        `SELECT tenant_id AS "tenantId", session_id AS "sessionId", seq, attempt
           FROM conversation.turns WHERE state = 'running' AND owner = $1`,
        [workerId],
      );
    });
  }

  /** Ends the worker's lease, and clears away those of workers that died a day ago. */
  async end(workerId: string): Promise<void> {
    await this.sweep.run((manager) =>
      manager.query(
        `DELETE FROM conversation.workers
          WHERE worker_id = $1 OR expires_at < clock_timestamp() - interval '1 day'`,
        [workerId],
      ),
    );
  }
}
