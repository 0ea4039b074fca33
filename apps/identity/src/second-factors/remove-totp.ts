import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { PersonTransaction } from '../people/person-transaction.ts';
import { FactorChanges } from './factor-changes.ts';
import { SecondFactorsRepository } from './second-factors.repository.ts';

/** Forgets a person's app, and with the last factor the codes that stand in for one. */
@Injectable()
export class RemoveTotp {
  constructor(
    private readonly changes: FactorChanges,
    private readonly transaction: PersonTransaction,
    private readonly factors: SecondFactorsRepository,
  ) {}

  /** @throws {@link Problem} 404 `totp_not_found` */
  async execute(principal: Principal, origin: AuditOrigin): Promise<void> {
    const userId = await this.changes.allow(principal);
    await this.transaction.run(userId, origin, async (manager) => {
      if (!(await this.factors.removeTotp(manager, userId))) {
        throw new Problem({
          status: 404,
          code: 'totp_not_found',
          detail: 'There is no app to remove.',
        });
      }
      await this.factors.forgetUnneededRecoveryCodes(manager, userId);
      return {
        result: undefined,
        line: {
          action: 'second_factor.removed',
          target: { type: 'user', id: userId },
          outcome: 'success',
          details: { factor: 'totp' },
        },
      };
    });
  }
}
