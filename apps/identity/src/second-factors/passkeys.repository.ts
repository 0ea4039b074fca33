import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

/** A key pair of a person's authenticator. */
export interface Passkey {
  credential_id: string;
  user_id: string;
  name: string;
  public_key: Buffer;
  /** A bigint, which the driver leaves as text. */
  sign_count: string;
  transports: string[];
  is_synced: boolean;
  created_at: Date;
  last_used_at: Date | null;
}

export type NewPasskey = Omit<Passkey, 'sign_count' | 'created_at' | 'last_used_at'> & {
  sign_count: number;
};

/** What an authenticator signs for. */
type ChallengePurpose = 'registration' | 'proof';

/** A challenge, and for whom it is good for what. */
export interface Challenge {
  challenge: string;
  userId: string;
  purpose: ChallengePurpose;
}

/** Passkeys, and the challenges that they are to sign. */
@Injectable()
export class PasskeysRepository {
  of(manager: EntityManager, userId: string): Promise<Passkey[]> {
    return manager.query<Passkey[]>(
      `SELECT * FROM identity.passkeys WHERE user_id = $1 ORDER BY created_at`,
      [userId],
    );
  }

  /** Answers whether it was new. */
  async add(manager: EntityManager, passkey: NewPasskey): Promise<boolean> {
    const rows = await manager.query<unknown[]>(
      `INSERT INTO identity.passkeys
         (credential_id, user_id, name, public_key, sign_count, transports, is_synced)
       VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (credential_id) DO NOTHING RETURNING credential_id`,
      [
        passkey.credential_id,
        passkey.user_id,
        passkey.name,
        passkey.public_key,
        passkey.sign_count,
        passkey.transports,
        passkey.is_synced,
      ],
    );
    return rows.length > 0;
  }

  async remove(manager: EntityManager, userId: string, credentialId: string): Promise<boolean> {
    const [, removed] = await manager.query<[unknown[], number]>(
      `DELETE FROM identity.passkeys WHERE user_id = $1 AND credential_id = $2`,
      [userId, credentialId],
    );
    return removed > 0;
  }

  /** Notes a use, unless the counter has come as far on another pod or in a copy of the key. */
  async noteUse(manager: EntityManager, passkey: Passkey, signCount: number): Promise<boolean> {
    const [, changed] = await manager.query<[unknown[], number]>(
      `UPDATE identity.passkeys SET sign_count = $2, last_used_at = clock_timestamp()
        WHERE credential_id = $1 AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0))`,
      [passkey.credential_id, signCount],
    );
    return changed > 0;
  }

  /** Keeps a challenge for as long as a person may take, and drops those that nobody took. */
  async keepChallenge(manager: EntityManager, { challenge, ...whom }: Challenge): Promise<void> {
    await manager.query(
      `DELETE FROM identity.passkey_challenges WHERE expires_at < clock_timestamp()`,
    );
    await manager.query(
      `INSERT INTO identity.passkey_challenges (challenge_hash, user_id, purpose, expires_at)
       VALUES ($1, $2, $3, clock_timestamp() + interval '5 minutes')`,
      [hashOf(challenge), whom.userId, whom.purpose],
    );
  }

  /** Uses a challenge. Answers whether it was there for this person and purpose. */
  async useChallenge(manager: EntityManager, { challenge, ...whom }: Challenge): Promise<boolean> {
    const [, removed] = await manager.query<[unknown[], number]>(
      `DELETE FROM identity.passkey_challenges
        WHERE challenge_hash = $1 AND user_id = $2 AND purpose = $3
          AND expires_at >= clock_timestamp()`,
      [hashOf(challenge), whom.userId, whom.purpose],
    );
    return removed > 0;
  }
}

function hashOf(challenge: string): Buffer {
  return hash('sha256', challenge, 'buffer');
}
