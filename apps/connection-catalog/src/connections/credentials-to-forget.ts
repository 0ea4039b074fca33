import { Injectable } from '@nestjs/common';
import { Problem } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';

/** Whose credentials. */
export interface CredentialOwner {
  tenant_id: string;
  connection_id: string;
}

/** One credential that is to go. */
export interface ForgettableCredential extends CredentialOwner {
  field: string;
}

const IS_ONE = 'tenant_id = $1 AND connection_id = $2 AND field = $3';

/**
 * Credentials outside of the database that go, unless by then their connection has them.
 *
 * What is about to be written there stands here first, and what is removed stands here from the
 * commit on: whatever ends in between, nothing stays there that no connection has.
 */
@Injectable()
export class CredentialsToForget {
  constructor(private readonly sweep: SweepTransaction) {}

  /** Has them go after a while, and no sooner than was said before. */
  async add(
    manager: EntityManager,
    owner: CredentialOwner,
    { fields, afterMs }: { fields: readonly string[]; afterMs: number },
  ): Promise<void> {
    await manager.query(
      `INSERT INTO catalog.credentials_to_forget AS known (tenant_id, connection_id, field, due_at)
       SELECT $1, $2, field, clock_timestamp() + $4 * interval '1 millisecond'
         FROM unnest($3::text[]) AS field ORDER BY field
       ON CONFLICT (tenant_id, connection_id, field)
       DO UPDATE SET due_at = greatest(known.due_at, excluded.due_at)`,
      [owner.tenant_id, owner.connection_id, fields, afterMs],
    );
  }

  /**
   * Has them stay, for a connection that is committed with this.
   *
   * @throws {@link Problem} 503 `credentials_late` where they went already
   */
  async keep(
    manager: EntityManager,
    owner: CredentialOwner,
    fields: readonly string[],
  ): Promise<void> {
    const [, kept] = await manager.query<[unknown, number]>(
      `DELETE FROM catalog.credentials_to_forget
        WHERE tenant_id = $1 AND connection_id = $2 AND field = ANY ($3)`,
      [owner.tenant_id, owner.connection_id, fields],
    );
    if (kept < fields.length) {
      throw new Problem({
        status: 503,
        code: 'credentials_late',
        detail: 'Storing the credentials took too long. Nothing was changed; try again.',
      });
    }
  }

  /** Over all tenants, those that have waited longest first. */
  due(limit: number): Promise<ForgettableCredential[]> {
    return this.sweep.run((manager) =>
      manager.query<ForgettableCredential[]>(
        `SELECT tenant_id, connection_id, field FROM catalog.credentials_to_forget
          WHERE due_at <= clock_timestamp() ORDER BY due_at LIMIT $1`,
        [limit],
      ),
    );
  }

  /**
   * Takes one off the list, for a transaction that commits when it is gone. Whoever wants to write
   * that credential waits for that.
   *
   * @returns Whether it is still to go: nobody else is at it, nobody wants it, no connection has it.
   */
  async take(manager: EntityManager, credential: ForgettableCredential): Promise<boolean> {
    const key = [credential.tenant_id, credential.connection_id, credential.field];
    const taken = await manager.query<unknown[]>(
      `SELECT FROM catalog.credentials_to_forget
        WHERE ${IS_ONE} AND due_at <= clock_timestamp() FOR UPDATE SKIP LOCKED`,
      key,
    );
    if (taken.length === 0) {
      return false;
    }
    // A statement of its own: it sees whichever connection was committed before the row was locked.
    const set = await manager.query<unknown[]>(
      `SELECT FROM catalog.connections
        WHERE tenant_id = $1 AND connection_id = $2 AND credentials ? $3`,
      key,
    );
    await manager.query(`DELETE FROM catalog.credentials_to_forget WHERE ${IS_ONE}`, key);
    return set.length === 0;
  }
}
