import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { isAbortError, sleep } from '@soma/kernel';
import { ExportHeads } from './export-heads.ts';

const HOUR_MS = 60 * 60 * 1000;

/** Exports the heads of the audit chains each day. It looks about once an hour whether they are due. */
@Injectable()
export class DailyExport implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(DailyExport.name);
  private readonly stop = new AbortController();
  private exporting: Promise<void> = Promise.resolve();

  constructor(private readonly exportHeads: ExportHeads) {}

  onApplicationBootstrap(): void {
    this.exporting = this.repeat();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await this.exporting;
  }

  private async repeat(): Promise<void> {
    const { signal } = this.stop;
    while (!signal.aborted) {
      await this.exportHeads.execute().catch((error: unknown) => {
        this.logger.error(error, 'The heads of the audit chains are not exported; trying again.');
      });
      // At random, so that pods that start together do not come together for ever.
      await sleep(HOUR_MS * (0.5 + Math.random()), signal).catch(ignoreAbort);
    }
  }
}

function ignoreAbort(error: unknown): void {
  if (!isAbortError(error)) {
    throw error;
  }
}
