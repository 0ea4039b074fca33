import { Injectable } from '@nestjs/common';
import { type AskedTokens, AskForTokens } from './ask-for-tokens.ts';
import type { ClaimedGrant } from './claim-grants.ts';
import { afterExpiry, afterRenewal } from './grant-lifecycle.ts';
import { RenewalMoment } from './renewal-moment.ts';
import { StoreRenewals } from './store-renewals.ts';

/** Renews the token of a grant that this process holds, or finds that it is over. */
@Injectable()
export class RenewGrant {
  constructor(
    private readonly asking: AskForTokens,
    private readonly storing: StoreRenewals,
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
    const { renewal, tokenVersion, scope, isProviderSilent = false } = asked;
    const moment = this.moment.now();
    const next =
      renewal === undefined
        ? afterExpiry(held.state, moment.now)
        : afterRenewal(held.state, renewal, moment);
    await this.storing.execute({
      ...{ held, connection, next, renewal, tokenVersion, scope, isProviderSilent },
    });
  }
}
