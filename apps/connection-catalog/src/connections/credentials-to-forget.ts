import { Injectable } from '@nestjs/common';
import { Problem } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { NEEDS_TOKENS } from '../oauth/grants/grant.ts';
import { TOKENS } from '../oauth/grants/token-secrets.ts';

/** Whose credentials. */
export interface CredentialOwner {
  tenant_id: string;
  connection_id: string;
}

/** One credential that is to go. */
export interface ForgettableCredential extends CredentialOwner {
  field: string;
}

/** How long there is between writing a credential and committing the connection that has it. */
const COMMIT_WITHIN_MS = 2 * 60_000;

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

  /**
   * Has them go after a while, unless the change that is about to write them commits until then. One
   * change at a time: a backend keeps so many versions, and those of changes that are refused later
   * must not drive out the one that a connection has.
   *
   * @throws {@link Problem} 412 `version_mismatch` while another change is about to write one of them
   */
  async plan(
    manager: EntityManager,
    owner: CredentialOwner,
    fields: readonly string[],
  ): Promise<void> {
    const planned = await manager.query<unknown[]>(
      `INSERT INTO catalog.credentials_to_forget AS known (tenant_id, connection_id, field, due_at)
       SELECT $1, $2, field, clock_timestamp() + $4 * interval '1 millisecond'
         FROM unnest($3::text[]) AS field ORDER BY field
       ON CONFLICT (tenant_id, connection_id, field)
       DO UPDATE SET due_at = excluded.due_at WHERE known.due_at <= clock_timestamp()
       RETURNING field`,
      [owner.tenant_id, owner.connection_id, fields, COMMIT_WITHIN_MS],
    );
    if (planned.length < fields.length) {
      throw new Problem({
        status: 412,
        code: 'version_mismatch',
        detail: 'Another change of these credentials is under way. Read them again, then decide.',
      });
    }
  }

  /** Has them go as soon as nobody is about to write them. */
  async add(
    manager: EntityManager,
    owner: CredentialOwner,
    fields: readonly string[],
  ): Promise<void> {
    await manager.query(
      `INSERT INTO catalog.credentials_to_forget AS known (tenant_id, connection_id, field, due_at)
       SELECT $1, $2, field, clock_timestamp() FROM unnest($3::text[]) AS field ORDER BY field
       ON CONFLICT (tenant_id, connection_id, field)
       DO UPDATE SET due_at = greatest(known.due_at, excluded.due_at)`,
      [owner.tenant_id, owner.connection_id, fields],
    );
  }

  /** Has what was planned go at once, for the change was refused: others may change them now. */
  async giveUp(
    manager: EntityManager,
    owner: CredentialOwner,
    fields: readonly string[],
  ): Promise<void> {
    await manager.query(
      `UPDATE catalog.credentials_to_forget SET due_at = clock_timestamp()
        WHERE tenant_id = $1 AND connection_id = $2 AND field = ANY ($3)`,
      [owner.tenant_id, owner.connection_id, fields],
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
          WHERE due_at <= statement_timestamp() ORDER BY due_at LIMIT $1`,
        [limit],
      ),
    );
  }

  /**
   * Takes one off the list, for a transaction that commits when it is gone. Whoever wants to write
   * that credential waits for that.
   *
   * @returns Whether it is still to go: nobody else is at it, nobody wants it, no connection has it
   *   and no authorisation needs it.
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
    // A statement of its own: it sees whatever was committed before the row was locked.
    const needed = await manager.query<unknown[]>(
      `SELECT FROM catalog.connections
        WHERE tenant_id = $1 AND connection_id = $2 AND credentials ? $3
       UNION ALL
       SELECT FROM catalog.oauth_grants
        WHERE tenant_id = $1 AND connection_id = $2 AND $3 = '${TOKENS}' AND ${NEEDS_TOKENS}`,
      key,
    );
    await manager.query(`DELETE FROM catalog.credentials_to_forget WHERE ${IS_ONE}`, key);
    return needed.length === 0;
  }
}
