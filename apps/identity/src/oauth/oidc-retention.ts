import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RepeatedWork } from '@soma/kernel';
import { OidcRecords } from './oidc-records.ts';

const EVERY_MS = 10 * 60 * 1000;

/** Removes sign-ins, codes and tokens that have had their time. Pods that do so at once harm nobody. */
@Injectable()
export class OidcRetention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(OidcRetention.name);
  private readonly work = new RepeatedWork({
    everyMs: EVERY_MS,
    act: () => this.records.removeExpired(),
    onFailure: (error) => {
      this.logger.warn({ error, message: 'Removing expired sign-ins failed; trying again.' });
    },
  });

  constructor(private readonly records: OidcRecords) {}

  onApplicationBootstrap(): void {
    this.work.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.work.stop();
  }
}
