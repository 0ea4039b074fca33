import { Injectable } from '@nestjs/common';
import type { Tenant } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import type { EntityManager } from 'typeorm';

interface TenantRow extends Omit<Tenant, 'created_at' | 'updated_at'> {
  created_at: Date;
  updated_at: Date;
}

const COLUMNS = 'tenant_id, name, version, created_at, updated_at';

/** The rows of tenants. Every method takes the transaction of the tenant that it names. */
@Injectable()
export class Tenants {
  /** Answers nothing where there is such a tenant already. */
  async create(
    manager: EntityManager,
    { tenant_id, name }: Pick<Tenant, 'tenant_id' | 'name'>,
  ): Promise<Tenant | undefined> {
    const [row] = await manager.query<TenantRow[]>(
      `INSERT INTO identity.tenants (tenant_id, name) VALUES ($1, $2)
       ON CONFLICT DO NOTHING RETURNING ${COLUMNS}`,
      [tenant_id, name],
    );
    return row && toTenant(row);
  }

  /** @throws {@link Problem} 404 `tenant_not_found` */
  async find(manager: EntityManager, tenantId: string): Promise<Tenant> {
    return this.select(manager, tenantId, '');
  }

  /**
   * The tenant as it stays until this transaction ends. Whoever changes members holds this lock, so
   * that what they count stays true.
   *
   * @throws {@link Problem} 404 `tenant_not_found`
   */
  async lock(manager: EntityManager, tenantId: string): Promise<Tenant> {
    return this.select(manager, tenantId, 'FOR UPDATE');
  }

  async rename(manager: EntityManager, tenantId: string, name: string): Promise<Tenant> {
    const [[row]] = await manager.query<[TenantRow[], number]>(
      `UPDATE identity.tenants SET name = $2, version = version + 1, updated_at = clock_timestamp()
        WHERE tenant_id = $1 RETURNING ${COLUMNS}`,
      [tenantId, name],
    );
    return toTenant(theOne(row, tenantId));
  }

  private async select(manager: EntityManager, tenantId: string, locking: string): Promise<Tenant> {
    const [row] = await manager.query<TenantRow[]>(
      `SELECT ${COLUMNS} FROM identity.tenants WHERE tenant_id = $1 ${locking}`,
      [tenantId],
    );
    return toTenant(theOne(row, tenantId));
  }
}

/** 404, also for a tenant that is not the caller's. */
export function tenantNotFound(tenantId: string): Problem {
  return new Problem({
    status: 404,
    code: 'tenant_not_found',
    detail: `There is no tenant "${tenantId}" for you. An operator creates one with POST /v1/tenants.`,
  });
}

function theOne(row: TenantRow | undefined, tenantId: string): TenantRow {
  if (row === undefined) {
    throw tenantNotFound(tenantId);
  }
  return row;
}

function toTenant(row: TenantRow): Tenant {
  return {
    ...row,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}
