import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { isAbortError, RepeatedWork } from '@soma/kernel';
import { counter, gauge } from '@soma/observability';
import { SweepTransaction } from '@soma/persistence';
import { CheckHealth } from './check-health.ts';
import { type DueConnection, HealthRepository } from './health.repository.ts';

/** A host that does not answer takes a place for ten seconds; there are enough for many of them. */
const PARALLEL = 200;
const LOOK_EVERY_MS = 1_000;
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
  private readonly logger = new Logger(HealthProber.name);
  private readonly running = new Set<Promise<void>>();
  private readonly ending = new AbortController();
  private readonly work = new RepeatedWork({
    everyMs: LOOK_EVERY_MS,
    act: () => this.fill(),
    onFailure: (error) => {
      this.logger.warn({ message: 'Looking for connections to check failed.', error });
    },
  });

  constructor(
    private readonly sweep: SweepTransaction,
    private readonly repository: HealthRepository,
    private readonly check: CheckHealth,
  ) {
    const { running } = this;
    gauge({
      name: 'soma_connection_checks_running',
      help: 'Connections that are being checked',
      collect() {
        this.set(running.size);
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
    await Promise.all(this.running);
  }

  private async fill(): Promise<void> {
    const free = PARALLEL - this.running.size;
    if (free > 0) {
      const due = await this.sweep.run((manager) => this.repository.claim(manager, free, LEASE_MS));
      due.forEach((each) => {
        this.begin(each);
      });
    }
  }

  private begin(due: DueConnection): void {
    const running = this.check
      .execute(due, this.ending.signal)
      .catch((error: unknown) => {
        // It is tried again when the lease has ended.
        if (!isAbortError(error)) {
          this.logger.warn({ message: 'A check of a connection could not be made.', error });
        }
      })
      .finally(() => {
        checks.inc();
        this.running.delete(running);
        // There may be more than there were places for.
        if (this.running.size === PARALLEL - 1) this.work.wake();
      });
    this.running.add(running);
  }
}
