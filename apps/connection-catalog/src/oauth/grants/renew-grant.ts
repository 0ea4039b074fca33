import { Injectable } from '@nestjs/common';
import { type AskedTokens, AskForTokens } from './ask-for-tokens.ts';
import type { ClaimedGrant } from './claim-grants.ts';
import { DropUncounted } from './drop-uncounted.ts';
import { GrantLeases } from './grant-leases.ts';
import { afterExpiry, afterRenewal } from './grant-lifecycle.ts';
import { keeping, WRITING } from './keeping.ts';
import { RenewalMoment } from './renewal-moment.ts';
import { type RenewedGrant, type StoredRenewal, StoreRenewals } from './store-renewals.ts';

/** Renews the token of a grant that this process holds, or finds that it is over. */
@Injectable()
export class RenewGrant {
  constructor(
    private readonly asking: AskForTokens,
    private readonly storing: StoreRenewals,
    private readonly dropping: DropUncounted,
    private readonly leases: GrantLeases,
    private readonly moment: RenewalMoment,
  ) {}

  /**
   * Resolves when what came of it is stored, or when it is too late to ask; rejects where it is not
   * stored. Its lease then runs out.
   */
  async execute({ held, connection }: ClaimedGrant): Promise<void> {
    const { isRenewable } = held.state;
    const asked: Partial<AskedTokens> | undefined = isRenewable
      ? await this.asking.execute(held, connection)
      : {};
    if (asked === undefined) {
      return;
    }
    const { renewal, tokenVersion, unwritten, scope, isProviderSilent = false } = asked;
    const moment = this.moment.now();
    const next =
      renewal === undefined
        ? afterExpiry(held.state, moment.now)
        : afterRenewal(held.state, renewal, moment);
    const stored = await this.store({
      ...{ held, connection, next, renewal, tokenVersion, unwritten, scope, isProviderSilent },
    });
    if (!stored.hasCounted && stored.tokenVersion !== undefined) {
      await this.dropping.execute(connection, stored.tokenVersion);
    }
  }

  /** For as long as it takes where a token that is nowhere else would be lost. */
  private store(renewed: RenewedGrant): Promise<StoredRenewal> {
    const store = (): Promise<StoredRenewal> => this.storing.execute(renewed);
    return renewed.unwritten === undefined
      ? store()
      : this.leases.during(renewed.held, () => keeping(WRITING, store));
  }
}
