import { Injectable } from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import { SweepTransaction } from '@soma/persistence';
import { FactorChanges } from '../second-factors/factor-changes.ts';
import { LinkedAccountsRepository } from './linked-accounts.repository.ts';
import type { ProviderName } from './providers/identity-provider.ts';

/** An account elsewhere, as the person who signs in with it sees it. */
export interface ListedAccount {
  provider: ProviderName;
  email: string;
  linked_at: string;
  last_used_at: string;
}

/** Lists what a person signs in with. */
@Injectable()
export class ListLinkedAccounts {
  constructor(
    private readonly people: FactorChanges,
    private readonly sweep: SweepTransaction,
    private readonly accounts: LinkedAccountsRepository,
  ) {}

  async execute(principal: Principal): Promise<ListedAccount[]> {
    const userId = this.people.userOf(principal);
    const rows = await this.sweep.run((manager) => this.accounts.of(manager, userId));
    return rows.map(({ provider, email, linked_at, last_used_at }) => ({
      provider,
      email,
      linked_at: linked_at.toISOString(),
      last_used_at: last_used_at.toISOString(),
    }));
  }
}
