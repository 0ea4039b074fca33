import { Injectable } from '@nestjs/common';
import type { Principal, ServiceAccount } from '@soma/contracts';
import { newIdentifier, Problem } from '@soma/kernel';
import type { EntityManager } from 'typeorm';
import { tenantNotFound } from './tenants.ts';

interface ServiceAccountRow extends Omit<ServiceAccount, 'created_at' | 'updated_at'> {
  created_at: Date;
  updated_at: Date;
}

const COLUMNS = 'service_account_id, name, version, created_by, created_at, updated_at';
const IS_THERE = 'tenant_id = $1 AND service_account_id = $2 AND deleted_at IS NULL';

/** The programs of a tenant. Every method takes the tenant's transaction. */
@Injectable()
export class ServiceAccounts {
  /** @throws {@link Problem} 404 `tenant_not_found` for a tenant that nobody has registered */
  async create(
    manager: EntityManager,
    { tenant_id, subject }: Principal,
    name: string,
  ): Promise<ServiceAccount> {
    const [row] = await manager.query<ServiceAccountRow[]>(
      `INSERT INTO identity.service_accounts (tenant_id, service_account_id, name, created_by)
       SELECT tenant_id, $2, $3, $4 FROM identity.tenants WHERE tenant_id = $1
       RETURNING ${COLUMNS}`,
      [tenant_id, newIdentifier(), name, subject],
    );
    if (row === undefined) {
      throw tenantNotFound(tenant_id);
    }
    return toServiceAccount(row);
  }

  /**
   * The account as it stays until this transaction ends.
   *
   * @throws {@link Problem} 404 `service_account_not_found`
   */
  async lock(manager: EntityManager, tenantId: string, id: string): Promise<ServiceAccount> {
    return this.select(manager, [tenantId, id], 'FOR UPDATE');
  }

  /** @throws {@link Problem} 404 `service_account_not_found` */
  async find(manager: EntityManager, tenantId: string, id: string): Promise<ServiceAccount> {
    return this.select(manager, [tenantId, id], '');
  }

  /** In the order of their making; the cursor is the last id of a page. */
  async list(
    manager: EntityManager,
    tenantId: string,
    { limit, cursor }: { limit: number; cursor?: string | undefined },
  ): Promise<ServiceAccount[]> {
    const rows = await manager.query<ServiceAccountRow[]>(
      `SELECT ${COLUMNS} FROM identity.service_accounts
        WHERE tenant_id = $1 AND deleted_at IS NULL
          AND ($2::uuid IS NULL OR service_account_id > $2)
        ORDER BY service_account_id LIMIT $3`,
      [tenantId, cursor, limit],
    );
    return rows.map(toServiceAccount);
  }

  async rename(
    manager: EntityManager,
    tenantId: string,
    { id, name }: { id: string; name: string },
  ): Promise<ServiceAccount> {
    const [[row]] = await manager.query<[ServiceAccountRow[], number]>(
      `UPDATE identity.service_accounts
          SET name = $3, version = version + 1, updated_at = clock_timestamp()
        WHERE ${IS_THERE} RETURNING ${COLUMNS}`,
      [tenantId, id, name],
    );
    return toServiceAccount(row ?? notFound(id));
  }

  /** Its row stays, for the keys that name it. */
  async remove(manager: EntityManager, tenantId: string, id: string): Promise<void> {
    await manager.query(
      `UPDATE identity.service_accounts SET deleted_at = clock_timestamp() WHERE ${IS_THERE}`,
      [tenantId, id],
    );
  }

  private async select(
    manager: EntityManager,
    id: [tenantId: string, serviceAccountId: string],
    locking: string,
  ): Promise<ServiceAccount> {
    const [row] = await manager.query<ServiceAccountRow[]>(
      `SELECT ${COLUMNS} FROM identity.service_accounts WHERE ${IS_THERE} ${locking}`,
      id,
    );
    return toServiceAccount(row ?? notFound(id[1]));
  }
}

function notFound(id: string): never {
  throw new Problem({
    status: 404,
    code: 'service_account_not_found',
    detail: `There is no service account "${id}". Create one with POST /v1/members/service-accounts.`,
  });
}

function toServiceAccount(row: ServiceAccountRow): ServiceAccount {
  return {
    ...row,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}
