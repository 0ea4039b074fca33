import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { RepeatedWork } from '@soma/kernel';
import type { SweepTransaction } from '../sweep-transaction.ts';

const EVERY_MS = 10 * 60 * 1000;

/** Removes what was answered more than a day ago, as far as its policy lets it see. */
export class IdempotencyRetention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(IdempotencyRetention.name);
  private readonly work = new RepeatedWork({
    everyMs: EVERY_MS,
    act: () => this.removeOld(),
    onFailure: (error) => {
      this.logger.warn({ error, message: 'Removing old idempotency keys failed; trying again.' });
    },
  });

  /** @param schema - The service's own, which has the table `idempotency_keys`. */
  constructor(
    private readonly schema: string,
    private readonly sweep: SweepTransaction,
  ) {}

  onApplicationBootstrap(): void {
    this.work.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.work.stop();
  }

  private async removeOld(): Promise<void> {
    await this.sweep.run((manager) =>
      manager.query(
        `DELETE FROM ${this.schema}.idempotency_keys
          WHERE created_at < clock_timestamp() - interval '24 hours'`,
      ),
    );
  }
}
