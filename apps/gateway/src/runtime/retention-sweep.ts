import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RepeatedWork } from '@soma/kernel';
import { ErasureLedger, Retention } from '@soma/sessions';

const HOUR_MS = 60 * 60 * 1000;

/**
 * Removes what has had its time and what a backup has brought back, at the start and about once an
 * hour. Pods that do so at once harm nobody.
 */
@Injectable()
export class RetentionSweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(RetentionSweep.name);
  private readonly work = new RepeatedWork({
    // At random, so that pods that start together do not sweep together for ever.
    everyMs: HOUR_MS * (0.5 + Math.random()),
    act: async () => {
      try {
        await this.erasures.applyAgain();
      } finally {
        await this.retention.run();
      }
    },
    onFailure: (error) => {
      this.logger.warn(error, 'The retention sweep failed; the next one will try again.');
    },
  });

  constructor(
    private readonly retention: Retention,
    private readonly erasures: ErasureLedger,
  ) {}

  onApplicationBootstrap(): void {
    this.work.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.work.stop();
  }
}
