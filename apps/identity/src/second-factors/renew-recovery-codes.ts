import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { PersonTransaction } from '../people/person-transaction.ts';
import { FactorChanges } from './factor-changes.ts';
import { newRecoveryCodes } from './recovery-code.ts';
import { SecondFactorsRepository } from './second-factors.repository.ts';

/** Gives a person new recovery codes. The ones before are worth nothing from then on. */
@Injectable()
export class RenewRecoveryCodes {
  constructor(
    private readonly changes: FactorChanges,
    private readonly transaction: PersonTransaction,
    private readonly factors: SecondFactorsRepository,
  ) {}

  /** @throws {@link Problem} 409 `no_second_factor` */
  async execute(principal: Principal, origin: AuditOrigin): Promise<string[]> {
    const userId = await this.changes.allow(principal);
    const codes = newRecoveryCodes();
    return this.transaction.run(userId, origin, async (manager) => {
      const { totp_confirmed_at, passkeys } = await this.factors.summaryOf(manager, userId);
      if (totp_confirmed_at === null && passkeys === 0) {
        throw new Problem({
          status: 409,
          code: 'no_second_factor',
          detail: 'Recovery codes stand in for a second factor. Set up an app or a passkey first.',
        });
      }
      await this.factors.replaceRecoveryCodes(manager, userId, codes);
      return {
        result: codes,
        line: {
          action: 'recovery_codes.replaced',
          target: { type: 'user', id: userId },
          outcome: 'success',
          details: {},
        },
      };
    });
  }
}
