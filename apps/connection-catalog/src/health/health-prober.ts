import {
  type BeforeApplicationShutdown,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Problem } from '@soma/kernel';
import { counter, gauge } from '@soma/observability';
import { SweepTransaction } from '@soma/persistence';
import { ClaimedWork } from '../runtime/claimed-work.ts';
import { CheckHealth } from './check-health.ts';
import { ConnectionReader } from './connection-reader.ts';
import { type DueConnection, HealthRepository } from './health.repository.ts';

/** A host that does not answer holds a place for ten seconds; there are enough for many of them. */
const PLACES = 180;
/** Longer than any check: then its pod is gone, and another one makes the check. */
const LEASE_MS = 60_000;

const checks = counter({
  name: 'soma_connection_checks_total',
  help: 'Checks of connections by the prober',
});

/**
 * Looks at every connection of every tenant once an interval. Any number of pods share the work:
 * each takes connections whose turn it is, under a lease.
 */
@Injectable()
export class HealthProber implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly ending = new AbortController();
  private readonly work: ClaimedWork<DueConnection>;

  constructor(
    sweep: SweepTransaction,
    repository: HealthRepository,
    reader: ConnectionReader,
    check: CheckHealth,
  ) {
    const work = new ClaimedWork<DueConnection>({
      items: 'connections to check',
      places: PLACES,
      claim: (room) => sweep.run((manager) => repository.claim(manager, room, LEASE_MS)),
      run: async (due) => {
        const row = await reader.row(due);
        if (row !== undefined) {
          await check.execute(row, this.ending.signal).catch(unlessLimited);
          checks.inc();
        }
      },
    });
    this.work = work;
    gauge({
      name: 'soma_connection_checks_running',
      help: 'Connections that are being checked',
      collect() {
        this.set(work.running);
      },
    });
  }

  onApplicationBootstrap(): void {
    this.work.start();
  }

  /** What is under way is left to the pods that go on. */
  async beforeApplicationShutdown(): Promise<void> {
    this.ending.abort();
    await this.work.stop();
  }
}

/** One that others use up, or that asked to be left alone, comes again when its lease has ended. */
function unlessLimited(error: unknown): void {
  if (!(error instanceof Problem && error.code === 'connection_rate_limited')) {
    throw error;
  }
}
