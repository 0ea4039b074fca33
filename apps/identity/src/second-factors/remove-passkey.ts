import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { PersonTransaction } from '../people/person-transaction.ts';
import { FactorChanges } from './factor-changes.ts';
import { PasskeysRepository } from './passkeys.repository.ts';
import { SecondFactorsRepository } from './second-factors.repository.ts';

/** Forgets a passkey, and with the last factor the codes that stand in for one. */
@Injectable()
export class RemovePasskey {
  constructor(
    private readonly changes: FactorChanges,
    private readonly transaction: PersonTransaction,
    private readonly passkeys: PasskeysRepository,
    private readonly factors: SecondFactorsRepository,
  ) {}

  /** @throws {@link Problem} 404 `passkey_not_found` */
  async execute(principal: Principal, credentialId: string, origin: AuditOrigin): Promise<void> {
    const userId = await this.changes.allow(principal);
    await this.transaction.run(userId, origin, async (manager) => {
      if (!(await this.passkeys.remove(manager, userId, credentialId))) {
        throw new Problem({
          status: 404,
          code: 'passkey_not_found',
          detail: 'You have no passkey with this id.',
        });
      }
      await this.factors.forgetUnneededRecoveryCodes(manager, userId);
      return {
        result: undefined,
        line: {
          action: 'second_factor.removed',
          target: { type: 'user', id: userId },
          outcome: 'success',
          details: { factor: 'passkey', passkey: credentialId },
        },
      };
    });
  }
}
