import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

/** Under this token a service's module says which role its sweeps take. */
export const SWEEP_ROLE = Symbol('SWEEP_ROLE');

/**
 * A transaction over all tenants, for work that no request asks for: the relay, the search for
 * turns, leases and retention.
 *
 * It runs under a role of its own whose policies show it just those rows. No request may reach it:
 * what serves requests takes {@link TenantTransaction}.
 */
@Injectable()
export class SweepTransaction {
  constructor(
    private readonly dataSource: DataSource,
    @Inject(SWEEP_ROLE) private readonly role: string,
  ) {}

  /** Commits when the work resolves and rolls back when it rejects. */
  run<Result>(work: (manager: EntityManager) => Promise<Result>): Promise<Result> {
    return this.dataSource.transaction(async (manager) => {
      // SET LOCAL ROLE, in the form that takes a parameter.
      await manager.query(`SELECT set_config('role', $1, true)`, [this.role]);
      return work(manager);
    });
  }
}
