import { Injectable } from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import { SweepTransaction } from '@soma/persistence';
import { FactorChanges } from './factor-changes.ts';
import { PasskeysRepository } from './passkeys.repository.ts';

/** A passkey, as its owner sees it. */
export interface ListedPasskey {
  passkey_id: string;
  name: string;
  created_at: string;
  last_used_at: string | null;
}

/** Lists a person's passkeys, the oldest first. */
@Injectable()
export class ListPasskeys {
  constructor(
    private readonly changes: FactorChanges,
    private readonly sweep: SweepTransaction,
    private readonly passkeys: PasskeysRepository,
  ) {}

  async execute(principal: Principal): Promise<ListedPasskey[]> {
    const userId = this.changes.userOf(principal);
    const rows = await this.sweep.run((manager) => this.passkeys.of(manager, userId));
    return rows.map(({ credential_id, name, created_at, last_used_at }) => ({
      passkey_id: credential_id,
      name,
      created_at: created_at.toISOString(),
      last_used_at: last_used_at?.toISOString() ?? null,
    }));
  }
}
