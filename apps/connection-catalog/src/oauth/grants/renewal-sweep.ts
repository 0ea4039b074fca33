import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RepeatedWork } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import type { HeldGrant } from './grant.ts';
import { GrantsRepository } from './grants.repository.ts';
import { RenewGrants } from './renew-grants.ts';

const POLL_MS = 1_000;
/** How many renewals a pod has under way at most. */
const MAX_UNDER_WAY = 512;
/** How many are taken at once. */
const MAX_TAKEN = 128;

/**
 * Renews tokens before they expire. Every pod takes some of them, and each of them is taken once.
 *
 * Nothing waits for a slow provider: what is taken is left to itself, and more is taken while there is
 * room.
 */
@Injectable()
export class RenewalSweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(RenewalSweep.name);
  private readonly underWay = new Set<Promise<void>>();
  private taken = 0;
  private readonly work = new RepeatedWork({
    everyMs: POLL_MS,
    act: () => this.takeAll(),
    onFailure: (error) => {
      this.logger.warn({ message: 'Taking tokens that are to be renewed failed.', error });
    },
  });

  constructor(
    private readonly sweep: SweepTransaction,
    private readonly grants: GrantsRepository,
    private readonly renewing: RenewGrants,
  ) {}

  onApplicationBootstrap(): void {
    this.work.start();
  }

  /** Waits for the answers of providers: a refresh token that has left cannot be called back. */
  async onApplicationShutdown(): Promise<void> {
    await this.work.stop();
    await Promise.all(this.underWay);
  }

  private async takeAll(): Promise<void> {
    for (;;) {
      const room = Math.min(MAX_TAKEN, MAX_UNDER_WAY - this.taken);
      const held =
        room > 0 ? await this.sweep.run((manager) => this.grants.claimDue(manager, room)) : [];
      if (held.length > 0) {
        this.renew(held);
      }
      if (held.length < room || room <= 0) {
        return;
      }
    }
  }

  /** Not awaited. What fails is taken again when its lease ends. */
  private renew(held: HeldGrant[]): void {
    this.taken += held.length;
    const renewal = this.renewing
      .execute(held)
      .catch((error: unknown) => {
        this.logger.warn({ message: 'Renewing tokens failed; they are taken again.', error });
      })
      .finally(() => {
        this.taken -= held.length;
        this.underWay.delete(renewal);
        this.work.wake();
      });
    this.underWay.add(renewal);
  }
}
