import {
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RepeatedWork } from '../runtime/repeated-work.ts';
import { OidcRecords } from './oidc-records.ts';

const EVERY_MS = 10 * 60 * 1000;

/** Removes sign-ins, codes and tokens that have had their time. Pods that do so at once harm nobody. */
@Injectable()
export class OidcRetention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly work: RepeatedWork;

  constructor(records: OidcRecords) {
    const act = (): Promise<void> => records.removeExpired();
    this.work = new RepeatedWork({ name: 'Removing expired sign-ins', everyMs: EVERY_MS, act });
  }

  onApplicationBootstrap(): void {
    this.work.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.work.stop();
  }
}
