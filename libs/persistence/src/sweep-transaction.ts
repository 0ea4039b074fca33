import { Inject, Injectable } from '@nestjs/common';
import pg from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import { runTransaction } from './transaction.ts';

/** Under this token a service's module says which role its sweeps take. */
export const SWEEP_ROLE = Symbol('SWEEP_ROLE');

/** Under this token is the pool of sweeps. */
export const SWEEP_DATA_SOURCE = Symbol('SWEEP_DATA_SOURCE');

/**
 * A transaction over all tenants, for work that belongs to none: the relay, the search for turns,
 * leases and retention.
 *
 * It runs under a role of its own whose policies show it just those rows, and on connections of its
 * own: a heartbeat must not wait behind the work that it keeps alive.
 *
 * A sweep asks for what is due by `statement_timestamp()`, which an index is searched for. By
 * `clock_timestamp()`, which may change from row to row, it would read every row there is.
 *
 * What serves requests takes {@link TenantTransaction}. Requests take this one only where no tenant is
 * known yet (who signs in, which key is exchanged, whose invitation or browser state it is), for tables
 * of people, which have no tenant, and for a pod's comparison of its open streams. Such a query names
 * the person, or the hash of what was presented: the policies show those of everybody.
 */
@Injectable()
export class SweepTransaction {
  constructor(
    @Inject(SWEEP_DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(SWEEP_ROLE) private readonly role: string,
  ) {}

  /** Commits when the work resolves and rolls back when it rejects. */
  run<Result>(work: (manager: EntityManager) => Promise<Result>): Promise<Result> {
    const begin = `SET LOCAL ROLE ${pg.escapeIdentifier(this.role)}`;
    return runTransaction(this.dataSource, begin, work);
  }
}
