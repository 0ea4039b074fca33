import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { openDataSource, SweepTransaction, TenantTransaction } from '@soma/persistence';
import { RowAnnouncer, WorkerLeases, WriteTurn } from '@soma/sessions';
import { type PostgresServer, startPostgres, until } from '@soma/testing';
import { LeaseKeeper } from './lease-keeper.ts';
import { RunningTurns } from './running-turns.ts';

const LEASE_MS = 1_500;

class Silent extends RowAnnouncer {
  publish(): void {
    // Nobody listens.
  }
}

describe('LeaseKeeper', () => {
  const running = new AsyncDisposableStack();
  let postgres: PostgresServer;
  let keeper: LeaseKeeper;

  beforeAll(async () => {
    postgres = running.use(await startPostgres());
    await migrate(new Secret(postgres.ownerUrl));
    const url = new Secret(await postgres.loginUrl('conversation_worker'));
    const source = await openDataSource({ url });
    running.defer(() => source.destroy());
    const leases = new WorkerLeases(new SweepTransaction(source, 'conversation_worker_sweep'));
    const turns = new WriteTurn(new TenantTransaction(source), new Silent());
    keeper = new LeaseKeeper(
      {
        LEASE_MS,
        MAX_TURNS: 1,
        MAX_TURNS_PER_TENANT: 1,
        TENANT_WEIGHTS: {},
        TURN_MAX_AGE_MS: 60_000,
        HISTORY_MAX_TOKENS: 1_000,
        DRAIN_MS: 0,
      },
      leases,
      turns,
      new RunningTurns(),
    );
    running.defer(() => keeper.end());
    keeper.start();
  });

  afterAll(() => running.disposeAsync());

  it('takes over from nobody for one lease after the database has paused (rule 14)', async () => {
    await until(() => keeper.mayTakeOver);

    postgres.pause();
    await delay(1.5 * LEASE_MS);
    postgres.resume();
    const resumedAt = performance.now();

    await until(() => keeper.holdsLease);
    expect(keeper.mayTakeOver).toBe(false);
    await until(() => keeper.mayTakeOver);
    expect(performance.now() - resumedAt).toBeGreaterThanOrEqual(LEASE_MS);
  });
});
