import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { isAbortError, sleep } from '@soma/kernel';
import { Retention } from '@soma/sessions';

const HOUR_MS = 60 * 60 * 1000;

/** Removes what has had its time, about once an hour. Pods that do so at once harm nobody. */
@Injectable()
export class RetentionSweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(RetentionSweep.name);
  private readonly stop = new AbortController();
  private sweeping: Promise<void> = Promise.resolve();

  constructor(private readonly retention: Retention) {}

  onApplicationBootstrap(): void {
    this.sweeping = this.repeat();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await this.sweeping;
  }

  private async repeat(): Promise<void> {
    const { signal } = this.stop;
    while (!signal.aborted) {
      await this.retention.run().catch((error: unknown) => {
        this.logger.warn(error, 'The retention sweep failed; the next one will try again.');
      });
      // At random, so that pods that start together do not sweep together for ever.
      await sleep(HOUR_MS * (0.5 + Math.random()), signal).catch(ignoreAbort);
    }
  }
}

function ignoreAbort(error: unknown): void {
  if (!isAbortError(error)) {
    throw error;
  }
}
