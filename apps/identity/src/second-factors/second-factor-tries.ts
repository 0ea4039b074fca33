import { Injectable } from '@nestjs/common';
import { Problem } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';

/** So many codes may be tried for a person before no more are looked at for a while. */
const TRIES = 5;
const LOCK = `interval '15 minutes'`;

interface Tries {
  is_allowed: boolean;
  seconds_left: number;
}

/**
 * Counts the codes that are tried for a person, right or wrong.
 *
 * A try is committed before its code is looked at, so that a thousand requests at once are five tries
 * and not a thousand. The fifth begins a lock of its own length. Passkeys are not counted: there is
 * nothing to guess, and who is locked out by somebody else's tries gets in with theirs.
 */
@Injectable()
export class SecondFactorTries {
  constructor(private readonly sweep: SweepTransaction) {}

  /** @throws {@link Problem} 429 `second_factor_locked` */
  async take(userId: string): Promise<void> {
    const [tries] = await this.sweep.run((manager) => manager.query<Tries[]>(TAKE, [userId]));
    if (tries?.is_allowed !== true) {
      throw new Problem({
        status: 429,
        code: 'second_factor_locked',
        detail: 'Too many codes were tried. Wait 15 minutes, or use a passkey.',
        retryAfterSeconds: tries?.seconds_left ?? 1,
      });
    }
  }

  /** Whoever has shown the right code starts over. */
  async forget(manager: EntityManager, userId: string): Promise<void> {
    await manager.query(`DELETE FROM identity.second_factor_tries WHERE user_id = $1`, [userId]);
  }
}

// The row's lock makes tries follow each other. One that is refused changes nothing, and a lock ends
// when it was said to end.
const TAKE = `
  WITH taken AS (
    INSERT INTO identity.second_factor_tries AS kept (user_id, tries, ends_at)
    VALUES ($1, 1, clock_timestamp() + ${LOCK})
    ON CONFLICT (user_id) DO UPDATE
       SET tries = CASE WHEN kept.ends_at <= clock_timestamp() THEN 1 ELSE kept.tries + 1 END,
           ends_at = CASE WHEN kept.ends_at <= clock_timestamp() OR kept.tries = ${TRIES - 1}
                          THEN clock_timestamp() + ${LOCK} ELSE kept.ends_at END
     WHERE kept.ends_at <= clock_timestamp() OR kept.tries < ${TRIES}
    RETURNING true
  )
  SELECT EXISTS (SELECT FROM taken) AS is_allowed,
         coalesce((SELECT extract(epoch FROM ends_at - clock_timestamp())::float8
                     FROM identity.second_factor_tries WHERE user_id = $1), 1) AS seconds_left`;
