import { Inject, Injectable } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import { CATALOG_CONFIG, type CatalogConfig } from '../catalog.config.ts';
import { nextHealth } from './health-state.ts';
import { type CheckedRow, HealthRepository } from './health.repository.ts';
import type { CheckOutcome } from './probe-connection.ts';

/** The next check comes up to this much earlier or later, so that not all come at once. */
const JITTER = 0.1;

/** Writes how a connection is after a check. */
@Injectable()
export class HealthRecorder {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly repository: HealthRepository,
    @Inject(CATALOG_CONFIG)
    private readonly config: Pick<
      CatalogConfig,
      'INTEGRATIONS_HEALTH_CHECK_INTERVAL_SECONDS' | 'INTEGRATIONS_HEALTH_UNHEALTHY_THRESHOLD'
    >,
  ) {}

  /** @param outcome - Undefined where there was nothing to check. */
  async record(row: CheckedRow, outcome: CheckOutcome | undefined): Promise<void> {
    const hasFailed = outcome !== undefined && outcome.reason !== null;
    const threshold = this.config.INTEGRATIONS_HEALTH_UNHEALTHY_THRESHOLD;
    await this.transaction.run(row.tenant_id, async (manager) => {
      const current = await this.repository.lock(manager, row);
      if (current === undefined || (current.is_newer && hasFailed)) {
        // It was changed meanwhile, and the change has made it due again; or another check has
        // seen the same failure, which counts once.
        return;
      }
      const state =
        outcome === undefined
          ? ({ health: 'not_applicable', failures: 0 } as const)
          : nextHealth(current, !hasFailed, threshold);
      await this.repository.record(manager, row, { state, outcome, nextInMs: this.nextInMs() });
    });
  }

  private nextInMs(): number {
    const seconds = this.config.INTEGRATIONS_HEALTH_CHECK_INTERVAL_SECONDS;
    return Math.round(seconds * 1000 * (1 - JITTER + 2 * JITTER * Math.random()));
  }
}
