import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { PersonTransaction } from '../people/person-transaction.ts';
import { FactorChanges } from '../second-factors/factor-changes.ts';
import { LinkedAccountsRepository } from './linked-accounts.repository.ts';
import type { ProviderName } from './providers/identity-provider.ts';

/** Lets a person sign in with one account less. */
@Injectable()
export class UnlinkAccount {
  constructor(
    private readonly changes: FactorChanges,
    private readonly transaction: PersonTransaction,
    private readonly accounts: LinkedAccountsRepository,
  ) {}

  /** @throws {@link Problem} 404 `account_not_linked`, 409 `last_account` */
  async execute(principal: Principal, provider: ProviderName, origin: AuditOrigin): Promise<void> {
    const userId = await this.changes.allow(principal);
    await this.transaction.run(userId, origin, async (manager) => {
      await this.accounts.lock(manager, userId);
      if (!(await this.accounts.unlink(manager, userId, provider))) {
        throw new Problem({
          status: 404,
          code: 'account_not_linked',
          detail: 'You do not sign in with this provider.',
        });
      }
      if ((await this.accounts.of(manager, userId)).length === 0) {
        throw new Problem({
          status: 409,
          code: 'last_account',
          detail: 'Without it you could not sign in any more. Link another account first.',
        });
      }
      const line = {
        action: 'account.unlinked',
        target: { type: 'user', id: userId },
        outcome: 'success' as const,
        details: { provider },
      };
      return { result: undefined, line };
    });
  }
}
