import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { OAuthClient } from '../protocol/oauth-client.ts';
import { type GrantRow, grantRow, type GrantType, type HeldGrant, NEEDS_TOKENS } from './grant.ts';
import type { GrantState } from './grant-lifecycle.ts';

/** What is stored of a renewal. */
export interface GrantChange {
  held: HeldGrant;
  next: GrantState;
  /** Where the new tokens lie; undefined where there are none. */
  tokenVersion: number | undefined;
  scope: string | undefined;
}

/** A grant as somebody has just given it. */
export interface NewGrant {
  connectionId: string;
  grantType: GrantType;
  client: OAuthClient;
  clientSecretVersion: number | null;
  state: GrantState;
  tokenVersion: number;
  scope: string | null;
  authorizedBy: string;
}

/** The queries of grants, each in the transaction it is given. */
@Injectable()
export class GrantsRepository {
  async find(manager: EntityManager, connectionId: string): Promise<GrantRow | undefined> {
    const rows = await manager.query<unknown[]>(
      'SELECT * FROM catalog.oauth_grants WHERE connection_id = $1',
      [connectionId],
    );
    return rows.map((row) => grantRow.parse(row))[0];
  }

  /** Whether there is a grant that needs its tokens. */
  async needsTokens(manager: EntityManager, connectionId: string): Promise<boolean> {
    const rows = await manager.query<unknown[]>(
      `SELECT FROM catalog.oauth_grants WHERE connection_id = $1 AND ${NEEDS_TOKENS}`,
      [connectionId],
    );
    return rows.length > 0;
  }

  /** Keeps others from giving or forgetting tokens. Answers the fields of a connection that is there. */
  async lockConnection(
    manager: EntityManager,
    connectionId: string,
  ): Promise<Record<string, unknown> | undefined> {
    const [row] = await manager.query<{ fields: Record<string, unknown> }[]>(
      'SELECT fields FROM catalog.connections WHERE connection_id = $1 FOR NO KEY UPDATE',
      [connectionId],
    );
    return row?.fields;
  }

  /** Waits for whoever changes it. */
  async lock(manager: EntityManager, connectionId: string): Promise<GrantRow | undefined> {
    const rows = await manager.query<unknown[]>(
      'SELECT * FROM catalog.oauth_grants WHERE connection_id = $1 FOR UPDATE',
      [connectionId],
    );
    return rows.map((row) => grantRow.parse(row))[0];
  }

  /**
   * Stores what became of grants of one tenant, and lets go of them.
   *
   * @returns The connections whose change counted: the others had got another token meanwhile, or a
   *   refusal came to somebody who no longer held the grant.
   */
  async store(manager: EntityManager, changes: readonly GrantChange[]): Promise<Set<string>> {
    const [rows] = await manager.query<[{ connection_id: string }[], number]>(
      `UPDATE catalog.oauth_grants AS kept
          SET status = new.status, reason = new.reason, generation = new.generation,
              token_version = coalesce(new.token_version, kept.token_version),
              is_renewable = new.is_renewable, scope = coalesce(new.scope, kept.scope),
              expires_at = new.expires_at, due_at = new.due_at, sent_at = new.sent_at,
              failures = new.failures, leased_until = NULL,
              renewed_at = CASE WHEN new.token_version IS NULL THEN kept.renewed_at
                                ELSE clock_timestamp() END
         FROM jsonb_to_recordset($1) AS new (
              connection_id uuid, asked_generation integer, attempt integer, status text,
              reason text, generation integer, token_version integer, is_renewable boolean,
              scope text, expires_at timestamptz, due_at timestamptz, sent_at timestamptz,
              failures integer)
        WHERE kept.connection_id = new.connection_id
          AND kept.generation = new.asked_generation
          AND (new.token_version IS NOT NULL OR kept.attempt = new.attempt)
       RETURNING kept.connection_id`,
      [JSON.stringify(changes.map(toRecord))],
    );
    return new Set(rows.map(({ connection_id }) => connection_id));
  }

  /** Stores a grant that somebody has given, over whatever there was; its generation is above that. */
  async put(manager: EntityManager, tenantId: string, grant: NewGrant): Promise<void> {
    const { state, client } = grant;
    await manager.query(
      `INSERT INTO catalog.oauth_grants AS kept
         (tenant_id, connection_id, grant_type, client, client_secret_version, status, reason,
          generation, token_version, is_renewable, scope, expires_at, due_at, authorized_by)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
       ON CONFLICT (tenant_id, connection_id) DO UPDATE
          SET grant_type = excluded.grant_type, client = excluded.client,
              client_secret_version = excluded.client_secret_version, status = excluded.status,
              reason = excluded.reason, generation = kept.generation + 1,
              token_version = excluded.token_version, is_renewable = excluded.is_renewable,
              scope = excluded.scope, expires_at = excluded.expires_at, due_at = excluded.due_at,
              sent_at = NULL, failures = 0, leased_until = NULL, attempt = kept.attempt + 1,
              authorized_by = excluded.authorized_by, authorized_at = clock_timestamp(),
              renewed_at = NULL`,
      [
        ...[tenantId, grant.connectionId, grant.grantType, JSON.stringify(client)],
        ...[grant.clientSecretVersion, state.status, state.reason, state.generation],
        ...[grant.tokenVersion, state.isRenewable, grant.scope],
        ...[state.expiresAt, state.dueAt, grant.authorizedBy],
      ],
    );
  }

  /** Stores that nobody may use it any more. The tokens lie no longer where it says. */
  async storeEnd(manager: EntityManager, connectionId: string, state: GrantState): Promise<void> {
    await manager.query(
      `UPDATE catalog.oauth_grants
          SET status = $2, reason = $3, generation = $4, is_renewable = $5, due_at = $6,
              sent_at = $7, failures = $8, told_at = NULL, leased_until = NULL,
              attempt = attempt + 1
        WHERE connection_id = $1`,
      [
        ...[connectionId, state.status, state.reason, state.generation],
        ...[state.isRenewable, state.dueAt, state.sentAt, state.failures],
      ],
    );
  }

  /** Stores that the provider knows of a revocation, unless something else has become of the grant. */
  async storeTold(manager: EntityManager, connectionId: string, generation: number): Promise<void> {
    await manager.query(
      `UPDATE catalog.oauth_grants SET told_at = clock_timestamp()
        WHERE connection_id = $1 AND generation = $2 AND status = 'revoked'`,
      [connectionId, generation],
    );
  }
}

function toRecord({ held, next, tokenVersion, scope }: GrantChange): object {
  return {
    connection_id: held.row.connection_id,
    asked_generation: held.state.generation,
    attempt: held.row.attempt,
    status: next.status,
    reason: next.reason,
    generation: next.generation,
    token_version: tokenVersion ?? null,
    is_renewable: next.isRenewable,
    scope: scope ?? null,
    expires_at: next.expiresAt,
    due_at: next.dueAt,
    sent_at: next.sentAt,
    failures: next.failures,
  };
}
