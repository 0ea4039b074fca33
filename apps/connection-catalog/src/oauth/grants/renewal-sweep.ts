import {
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { ClaimedWork } from '../../runtime/claimed-work.ts';
import { type ClaimedGrant, ClaimGrants } from './claim-grants.ts';
import { RenewGrant } from './renew-grant.ts';

/** How many renewals a pod has under way at most. */
const PLACES = 1_024;

/** Renews tokens before they expire. Every pod takes some of them, and each of them is taken once. */
@Injectable()
export class RenewalSweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly work: ClaimedWork<ClaimedGrant>;

  constructor(claiming: ClaimGrants, renewing: RenewGrant) {
    this.work = new ClaimedWork({
      items: 'tokens to renew',
      places: PLACES,
      claim: (room) => claiming.due(room),
      run: (claimed) => renewing.execute(claimed),
    });
  }

  onApplicationBootstrap(): void {
    this.work.start();
  }

  /** Waits for the answers of providers: a refresh token that has left cannot be called back. */
  async onApplicationShutdown(): Promise<void> {
    await this.work.stop();
  }
}
