import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { ExternalIdentity, ProviderName } from './providers/identity-provider.ts';

/** An account elsewhere that a person signs in with. */
export interface LinkedAccount {
  provider: ProviderName;
  email: string;
  linked_at: Date;
  last_used_at: Date;
}

/** Accounts at providers, and whose they are. */
@Injectable()
export class LinkedAccountsRepository {
  /** The person of an account, whose use is noted. */
  async use(
    manager: EntityManager,
    { provider, subject, email }: ExternalIdentity,
  ): Promise<string | undefined> {
    const [[row]] = await manager.query<[{ user_id: string }[], number]>(
      `UPDATE identity.linked_accounts SET last_used_at = clock_timestamp(), email = $3
        WHERE provider = $1 AND subject = $2 RETURNING user_id`,
      [provider, subject, email],
    );
    return row?.user_id;
  }

  of(manager: EntityManager, userId: string): Promise<LinkedAccount[]> {
    return manager.query<LinkedAccount[]>(
      `SELECT provider, email, linked_at, last_used_at FROM identity.linked_accounts
        WHERE user_id = $1 ORDER BY linked_at`,
      [userId],
    );
  }

  /** Until the transaction ends, nobody else links or unlinks an account of this person. */
  async lock(manager: EntityManager, userId: string): Promise<void> {
    await manager.query(
      `SELECT pg_advisory_xact_lock(hashtextextended('identity.linked_accounts:' || $1::text, 0))`,
      [userId],
    );
  }

  /** Answers whether it could: the account may be somebody's, or the person have one there. */
  async link(manager: EntityManager, userId: string, account: ExternalIdentity): Promise<boolean> {
    const rows = await manager.query<unknown[]>(
      `INSERT INTO identity.linked_accounts (provider, subject, user_id, email)
       VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING provider`,
      [account.provider, account.subject, userId, account.email],
    );
    return rows.length > 0;
  }

  async unlink(manager: EntityManager, userId: string, provider: ProviderName): Promise<boolean> {
    const [, removed] = await manager.query<[unknown[], number]>(
      `DELETE FROM identity.linked_accounts WHERE user_id = $1 AND provider = $2`,
      [userId, provider],
    );
    return removed > 0;
  }
}
