import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RepeatedWork } from '@soma/kernel';
import { ExportHeads } from './export-heads.ts';

const HOUR_MS = 60 * 60 * 1000;

/** Exports the heads of the audit chains each day. It looks about once an hour whether they are due. */
@Injectable()
export class DailyExport implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(DailyExport.name);
  private readonly work = new RepeatedWork({
    // At random, so that pods that start together do not come together for ever.
    everyMs: HOUR_MS * (0.5 + Math.random()),
    act: () => this.exportHeads.execute(),
    onFailure: (error) => {
      this.logger.error(error, 'The heads of the audit chains are not exported; trying again.');
    },
  });

  constructor(private readonly exportHeads: ExportHeads) {}

  onApplicationBootstrap(): void {
    this.work.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.work.stop();
  }
}
