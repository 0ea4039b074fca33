import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RepeatedWork } from '@soma/kernel';
import { OidcRecords } from './oidc-records.ts';
import { RevokedTokens } from './revoked-tokens.ts';

const EVERY_MS = 10 * 60 * 1000;

/** Removes sign-ins, codes and tokens that have had their time. Pods that do so at once harm nobody. */
@Injectable()
export class OidcRetention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(OidcRetention.name);
  private readonly work = new RepeatedWork({
    everyMs: EVERY_MS,
    act: async () => {
      await this.records.removeExpired();
      await this.revoked.removeOld();
    },
    onFailure: (error) => {
      this.logger.warn({ error, message: 'Removing expired sign-ins failed; trying again.' });
    },
  });

  constructor(
    private readonly records: OidcRecords,
    private readonly revoked: RevokedTokens,
  ) {}

  onApplicationBootstrap(): void {
    this.work.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.work.stop();
  }
}
