import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { type ExternalIdentity, providerName } from './providers/identity-provider.ts';

/** A sign-in that has come back from a provider. */
export interface SignInRow {
  interaction_uid: string;
  user_id: string | null;
  amr: string[];
  waiting_account: ExternalIdentity | null;
  waiting_for: string | null;
}

const waitingAccount = z.object({
  provider: providerName,
  subject: z.string(),
  email: z.string(),
  display_name: z.string(),
});

/** Sign-ins under way, and states that have come back. */
@Injectable()
export class SignInsRepository {
  /** Notes that a state has come back. Answers whether it was the first time. */
  async useState(manager: EntityManager, state: string, expiresAt: number): Promise<boolean> {
    await manager.query(`DELETE FROM identity.used_states WHERE expires_at < clock_timestamp()`);
    const rows = await manager.query<unknown[]>(
      `INSERT INTO identity.used_states (state_hash, expires_at) VALUES ($1, $2)
       ON CONFLICT (state_hash) DO NOTHING RETURNING state_hash`,
      [hash('sha256', state, 'buffer'), new Date(expiresAt)],
    );
    return rows.length > 0;
  }

  async find(manager: EntityManager, interaction: string): Promise<SignInRow | undefined> {
    const [row] = await manager.query<SignInRow[]>(
      `SELECT * FROM identity.sign_ins
        WHERE interaction_uid = $1 AND expires_at > clock_timestamp() FOR UPDATE`,
      [interaction],
    );
    return row && { ...row, waiting_account: waitingAccount.nullable().parse(row.waiting_account) };
  }

  /**
   * Says who has signed in. All that was proved before counts no more: it may have been somebody
   * else. An account that waits for just this person goes on waiting.
   */
  async signIn(
    manager: EntityManager,
    row: Omit<SignInRow, 'waiting_account' | 'waiting_for'>,
  ): Promise<void> {
    await manager.query(`DELETE FROM identity.sign_ins WHERE expires_at < clock_timestamp()`);
    await manager.query(
      `INSERT INTO identity.sign_ins AS kept (interaction_uid, user_id, amr, expires_at)
       VALUES ($1, $2, $3, clock_timestamp() + interval '30 minutes')
       ON CONFLICT (interaction_uid) DO UPDATE
          SET user_id = excluded.user_id, amr = excluded.amr, expires_at = excluded.expires_at,
              waiting_account = CASE WHEN kept.waiting_for = excluded.user_id
                                     THEN kept.waiting_account END,
              waiting_for = CASE WHEN kept.waiting_for = excluded.user_id
                                 THEN kept.waiting_for END`,
      [row.interaction_uid, row.user_id, row.amr],
    );
  }

  /** Keeps an account until the person that it seems to be of has signed in and confirmed it. */
  async wait(
    manager: EntityManager,
    interaction: string,
    { account, userId }: { account: ExternalIdentity; userId: string },
  ): Promise<void> {
    await manager.query(
      `INSERT INTO identity.sign_ins
         (interaction_uid, user_id, amr, waiting_account, waiting_for, expires_at)
       VALUES ($1, NULL, '{}', $2, $3, clock_timestamp() + interval '30 minutes')
       ON CONFLICT (interaction_uid) DO UPDATE
          SET user_id = NULL, amr = '{}', waiting_account = excluded.waiting_account,
              waiting_for = excluded.waiting_for, expires_at = excluded.expires_at`,
      [interaction, JSON.stringify(account), userId],
    );
  }

  async forgetWaiting(manager: EntityManager, interaction: string): Promise<void> {
    await manager.query(
      `UPDATE identity.sign_ins SET waiting_account = NULL, waiting_for = NULL
        WHERE interaction_uid = $1`,
      [interaction],
    );
  }

  /** Adds what a person has proved, unless somebody else signs in by now. */
  async addMethods(
    manager: EntityManager,
    interaction: string,
    { userId, amr }: { userId: string; amr: string[] },
  ): Promise<void> {
    await manager.query(
      `UPDATE identity.sign_ins SET amr = amr || $3
        WHERE interaction_uid = $1 AND user_id = $2`,
      [interaction, userId, amr],
    );
  }

  /** Ends a person's sign-in. Answers whether it was there: only one request finishes it. */
  async remove(manager: EntityManager, interaction: string, userId: string): Promise<boolean> {
    const [, removed] = await manager.query<[unknown[], number]>(
      `DELETE FROM identity.sign_ins WHERE interaction_uid = $1 AND user_id = $2`,
      [interaction, userId],
    );
    return removed > 0;
  }
}
