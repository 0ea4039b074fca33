import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RepeatedWork } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import { type HeldGrant, LEASE_MS } from './grant.ts';
import { HeldGrantsRepository } from './held-grants.repository.ts';

/** A pod that freezes for a while, or that the database refuses once, keeps its leases all the same. */
const PROLONG_EVERY_MS = LEASE_MS / 4;

/** Keeps leases of this process from ending while it has something that must not be lost. */
@Injectable()
export class GrantLeases implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(GrantLeases.name);
  private readonly keeping = new Map<Promise<unknown>, HeldGrant>();
  private readonly work = new RepeatedWork({
    everyMs: PROLONG_EVERY_MS,
    maxPauseMs: PROLONG_EVERY_MS,
    act: () => this.prolong(),
    onFailure: (error) => {
      this.logger.warn({ message: 'Prolonging the leases of grants failed.', error });
    },
  });

  constructor(
    private readonly sweep: SweepTransaction,
    private readonly grants: HeldGrantsRepository,
  ) {}

  onApplicationBootstrap(): void {
    this.work.start();
  }

  /** What must not be lost is waited for. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.allSettled(this.keeping.keys());
    await this.work.stop();
  }

  /** Does something under a lease that goes on as long as it takes. */
  async during<Result>(held: HeldGrant, act: () => Promise<Result>): Promise<Result> {
    const acting = act();
    this.keeping.set(acting, held);
    try {
      return await acting;
    } finally {
      this.keeping.delete(acting);
    }
  }

  private async prolong(): Promise<void> {
    const since = performance.now() - PROLONG_EVERY_MS;
    const old = [...this.keeping.values()].filter(({ claimedAt }) => claimedAt < since);
    if (old.length > 0) {
      const rows = old.map(({ row }) => row);
      await this.sweep.run((manager) => this.grants.prolong(manager, rows));
    }
  }
}
