import { Injectable } from '@nestjs/common';
import type { ApiKey } from '@soma/contracts';
import { newIdentifier, Problem } from '@soma/kernel';
import { KeyedHash } from '@soma/secrets';
import type { EntityManager } from 'typeorm';
import { API_KEY_PURPOSE, newApiKeyText } from './api-key-text.ts';

/** What a new key is to be. */
export type NewApiKey = Pick<
  ApiKey,
  'name' | 'service_account_id' | 'scopes' | 'created_by' | 'expires_at' | 'rotated_from'
>;

interface ApiKeyRow extends Omit<
  ApiKey,
  'created_at' | 'expires_at' | 'revoked_at' | 'last_used_at'
> {
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
  last_used_at: Date | null;
}

const COLUMNS =
  'key_id, name, service_account_id, scopes, created_by, created_at, expires_at, revoked_at, ' +
  'last_used_at, rotated_from';

/** The keys of a tenant. Every method takes the tenant's transaction. */
@Injectable()
export class ApiKeys {
  constructor(private readonly hashes: KeyedHash) {}

  /** Makes a key, and answers its text too, which is not kept. */
  async create(
    manager: EntityManager,
    tenantId: string,
    key: NewApiKey,
  ): Promise<ApiKey & { key: string }> {
    const keyId = newIdentifier();
    const text = newApiKeyText(keyId);
    const rows = await manager.query<ApiKeyRow[]>(
      `INSERT INTO identity.api_keys
         (tenant_id, key_id, name, service_account_id, scopes, created_by, expires_at,
          rotated_from, secret_hash)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING ${COLUMNS}`,
      [
        tenantId,
        keyId,
        key.name,
        key.service_account_id,
        key.scopes,
        key.created_by,
        key.expires_at,
        key.rotated_from,
        this.hashes.of(text, API_KEY_PURPOSE),
      ],
    );
    return { ...toApiKey(theOne(rows[0], keyId)), key: text.reveal() };
  }

  /** @throws {@link Problem} 404 `api_key_not_found` */
  async find(manager: EntityManager, tenantId: string, keyId: string): Promise<ApiKey> {
    return this.select(manager, [tenantId, keyId], '');
  }

  /**
   * The key as it stays until this transaction ends.
   *
   * @throws {@link Problem} 404 `api_key_not_found`
   */
  async lock(manager: EntityManager, tenantId: string, keyId: string): Promise<ApiKey> {
    return this.select(manager, [tenantId, keyId], 'FOR UPDATE');
  }

  /** In the order of their making; the cursor is the last id of a page. */
  async list(
    manager: EntityManager,
    tenantId: string,
    { limit, cursor }: { limit: number; cursor?: string | undefined },
  ): Promise<ApiKey[]> {
    const rows = await manager.query<ApiKeyRow[]>(
      `SELECT ${COLUMNS} FROM identity.api_keys
        WHERE tenant_id = $1 AND ($2::uuid IS NULL OR key_id > $2) ORDER BY key_id LIMIT $3`,
      [tenantId, cursor, limit],
    );
    return rows.map(toApiKey);
  }

  /** Ends keys that are not revoked yet: one, or all of a service account. Answers their ids. */
  async revoke(
    manager: EntityManager,
    tenantId: string,
    which: { keyId: string } | { serviceAccountId: string },
  ): Promise<string[]> {
    const [column, value] =
      'keyId' in which ? ['key_id', which.keyId] : ['service_account_id', which.serviceAccountId];
    const [rows] = await manager.query<[{ key_id: string }[], number]>(
      `UPDATE identity.api_keys SET revoked_at = clock_timestamp()
        WHERE tenant_id = $1 AND ${column} = $2 AND revoked_at IS NULL RETURNING key_id`,
      [tenantId, value],
    );
    return rows.map(({ key_id }) => key_id);
  }

  /** Lets a key end earlier than it would. */
  async endAt(
    manager: EntityManager,
    tenantId: string,
    key: { key_id: string; at: Date },
  ): Promise<void> {
    await manager.query(
      `UPDATE identity.api_keys SET expires_at = least(expires_at, $3)
        WHERE tenant_id = $1 AND key_id = $2`,
      [tenantId, key.key_id, key.at],
    );
  }

  private async select(
    manager: EntityManager,
    [tenantId, keyId]: [tenantId: string, keyId: string],
    locking: string,
  ): Promise<ApiKey> {
    const [row] = await manager.query<ApiKeyRow[]>(
      `SELECT ${COLUMNS} FROM identity.api_keys WHERE tenant_id = $1 AND key_id = $2 ${locking}`,
      [tenantId, keyId],
    );
    return toApiKey(theOne(row, keyId));
  }
}

function theOne(row: ApiKeyRow | undefined, keyId: string): ApiKeyRow {
  if (row === undefined) {
    throw new Problem({
      status: 404,
      code: 'api_key_not_found',
      detail: `There is no API key "${keyId}". GET /v1/api-keys lists those that there are.`,
    });
  }
  return row;
}

function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    ...row,
    created_at: row.created_at.toISOString(),
    expires_at: row.expires_at?.toISOString() ?? null,
    revoked_at: row.revoked_at?.toISOString() ?? null,
    last_used_at: row.last_used_at?.toISOString() ?? null,
  };
}
