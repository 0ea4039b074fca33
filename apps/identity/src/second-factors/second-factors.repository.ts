import { Injectable } from '@nestjs/common';
import { Secret } from '@soma/kernel';
import { Envelope, KeyedHash, type SealContext } from '@soma/secrets';
import type { EntityManager } from 'typeorm';
import { readRecoveryCode } from './recovery-code.ts';

/** The secret of a person's app, and whether they have shown that the app has it. */
export interface TotpFactor {
  secret: Secret;
  confirmed_at: Date | null;
}

/** What a person can prove themselves with besides their sign-in. */
export interface FactorSummary {
  totp_confirmed_at: Date | null;
  passkeys: number;
  recovery_codes_left: number;
}

const RECOVERY_CODES = 'identity.recovery_codes';

/** Apps and recovery codes of people. */
@Injectable()
export class SecondFactorsRepository {
  constructor(
    private readonly envelope: Envelope,
    private readonly keyedHash: KeyedHash,
  ) {}

  async summaryOf(manager: EntityManager, userId: string): Promise<FactorSummary> {
    const [row] = await manager.query<FactorSummary[]>(
      `SELECT (SELECT confirmed_at FROM identity.totp_factors WHERE user_id = $1) AS totp_confirmed_at,
              (SELECT count(*)::int FROM identity.passkeys WHERE user_id = $1) AS passkeys,
              (SELECT count(*)::int FROM identity.recovery_codes
                WHERE user_id = $1 AND used_at IS NULL) AS recovery_codes_left`,
      [userId],
    );
    return row ?? { totp_confirmed_at: null, passkeys: 0, recovery_codes_left: 0 };
  }

  /** Puts a secret in the place of one that was never confirmed. Answers whether it could. */
  async beginTotp(manager: EntityManager, userId: string, secret: Secret): Promise<boolean> {
    const rows = await manager.query<unknown[]>(
      `INSERT INTO identity.totp_factors AS kept (user_id, sealed_secret) VALUES ($1, $2)
       ON CONFLICT (user_id) DO UPDATE
          SET sealed_secret = excluded.sealed_secret, created_at = excluded.created_at
        WHERE kept.confirmed_at IS NULL
       RETURNING user_id`,
      [userId, this.envelope.seal(secret, contextOf(userId))],
    );
    return rows.length > 0;
  }

  async findTotp(manager: EntityManager, userId: string): Promise<TotpFactor | undefined> {
    const [row] = await manager.query<{ sealed_secret: string; confirmed_at: Date | null }[]>(
      `SELECT sealed_secret, confirmed_at FROM identity.totp_factors WHERE user_id = $1 FOR UPDATE`,
      [userId],
    );
    return (
      row && {
        secret: this.envelope.open(row.sealed_secret, contextOf(userId)),
        confirmed_at: row.confirmed_at,
      }
    );
  }

  /** Makes the app a factor, with the step of its first code used. Answers whether it was none. */
  async confirmTotp(manager: EntityManager, userId: string, step: number): Promise<boolean> {
    const [, changed] = await manager.query<[unknown[], number]>(
      `UPDATE identity.totp_factors SET confirmed_at = clock_timestamp(), last_used_step = $2
        WHERE user_id = $1 AND confirmed_at IS NULL`,
      [userId, step],
    );
    return changed > 0;
  }

  /**
   * Uses a time step, unless it or a later one has been used.
   *
   * One statement: whoever comes second to the row, on whichever pod, finds the step taken.
   */
  async useStep(manager: EntityManager, userId: string, step: number): Promise<boolean> {
    const [, changed] = await manager.query<[unknown[], number]>(
      `UPDATE identity.totp_factors SET last_used_step = $2
        WHERE user_id = $1 AND confirmed_at IS NOT NULL AND last_used_step < $2`,
      [userId, step],
    );
    return changed > 0;
  }

  async removeTotp(manager: EntityManager, userId: string): Promise<boolean> {
    const [, removed] = await manager.query<[unknown[], number]>(
      `DELETE FROM identity.totp_factors WHERE user_id = $1`,
      [userId],
    );
    return removed > 0;
  }

  /** Puts codes in the place of all that the person had. */
  async replaceRecoveryCodes(
    manager: EntityManager,
    userId: string,
    codes: readonly string[],
  ): Promise<void> {
    await manager.query(`DELETE FROM identity.recovery_codes WHERE user_id = $1`, [userId]);
    if (codes.length > 0) {
      await manager.query(
        `INSERT INTO identity.recovery_codes (user_id, code_hash)
         SELECT $1, unnest($2::bytea[])`,
        [userId, codes.map((code) => this.hashOf(userId, code))],
      );
    }
  }

  /** Without a factor there is nothing that the codes could stand in for. */
  async forgetUnneededRecoveryCodes(manager: EntityManager, userId: string): Promise<void> {
    await manager.query(
      `DELETE FROM identity.recovery_codes WHERE user_id = $1
          AND NOT EXISTS (SELECT FROM identity.passkeys WHERE user_id = $1)
          AND NOT EXISTS (SELECT FROM identity.totp_factors
                           WHERE user_id = $1 AND confirmed_at IS NOT NULL)`,
      [userId],
    );
  }

  /** Uses a code. Answers whether it was there to be used. */
  async useRecoveryCode(manager: EntityManager, userId: string, code: string): Promise<boolean> {
    const [, changed] = await manager.query<[unknown[], number]>(
      `UPDATE identity.recovery_codes SET used_at = clock_timestamp()
        WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL`,
      [userId, this.hashOf(userId, code)],
    );
    return changed > 0;
  }

  /** A keyed hash is enough: a code is 80 random bits, and whoever reads the table has no key. */
  private hashOf(userId: string, code: string): Buffer {
    return this.keyedHash.of(readRecoveryCode(code), `${RECOVERY_CODES}:${userId}`);
  }
}

function contextOf(userId: string): SealContext {
  return ['identity.totp_factors', userId];
}
