import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RepeatedWork } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';

const EVERY_MS = 10 * 60 * 1000;

/** Removes what was answered more than a day ago, as far as its policy lets it see. */
@Injectable()
export class IdempotencyRetention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(IdempotencyRetention.name);
  private readonly work = new RepeatedWork({
    everyMs: EVERY_MS,
    act: () => this.removeOld(),
    onFailure: (error) => {
      this.logger.warn({ error, message: 'Removing old idempotency keys failed; trying again.' });
    },
  });

  constructor(private readonly sweep: SweepTransaction) {}

  onApplicationBootstrap(): void {
    this.work.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.work.stop();
  }

  private async removeOld(): Promise<void> {
    await this.sweep.run((manager) =>
      manager.query(
        `DELETE FROM identity.idempotency_keys
          WHERE created_at < clock_timestamp() - interval '24 hours'`,
      ),
    );
  }
}
