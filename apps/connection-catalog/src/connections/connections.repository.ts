import { Injectable } from '@nestjs/common';
import type { ConnectionListQuery } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import type { EntityManager } from 'typeorm';
import { ConnectionTypes } from '../connection-types/connection-types.ts';
import { ConnectionSecrets } from '../secrets/connection-secrets.ts';
import type { ConnectionRow } from './connection-row.ts';

/** What a new connection's row has. */
export type NewConnection = Pick<
  ConnectionRow,
  'connection_id' | 'name' | 'type' | 'fields' | 'credentials' | 'rate_limit_rpm' | 'created_by'
>;

const COLUMNS =
  'connection_id, name, type, fields, credentials, rate_limit_rpm, health, version, created_by, ' +
  'created_at, updated_at';

/** The connections of a tenant. Every method takes the tenant's transaction. */
@Injectable()
export class ConnectionsRepository {
  constructor(
    private readonly types: ConnectionTypes,
    private readonly secrets: ConnectionSecrets,
  ) {}

  /**
   * How many connections of a type there are, which nobody else changes until this transaction ends.
   */
  async countForInsert(manager: EntityManager, tenantId: string, type: string): Promise<number> {
    await manager.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [
      JSON.stringify(['catalog.connections', tenantId, type]),
    ]);
    // A statement of its own: it sees what was committed while the lock was waited for.
    const [row] = await manager.query<{ count: number }[]>(
      `SELECT count(*)::int AS count FROM catalog.connections WHERE tenant_id = $1 AND type = $2`,
      [tenantId, type],
    );
    return row?.count ?? 0;
  }

  /** Undefined where the name is taken. */
  async insert(
    manager: EntityManager,
    tenantId: string,
    connection: NewConnection,
  ): Promise<ConnectionRow | undefined> {
    const [row] = await manager.query<ConnectionRow[]>(
      `INSERT INTO catalog.connections (tenant_id, connection_id, name, type, fields, credentials,
                                        rate_limit_rpm, created_by)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
       ON CONFLICT (tenant_id, name) DO NOTHING RETURNING ${COLUMNS}`,
      [
        tenantId,
        connection.connection_id,
        connection.name,
        connection.type,
        connection.fields,
        connection.credentials,
        connection.rate_limit_rpm,
        connection.created_by,
      ],
    );
    return row && this.complete(tenantId, row);
  }

  /** Writes what may change, as the connection's next version. The row must be locked. */
  async update(
    manager: EntityManager,
    tenantId: string,
    row: Pick<ConnectionRow, 'connection_id' | 'fields' | 'credentials' | 'rate_limit_rpm'>,
  ): Promise<ConnectionRow> {
    const [rows] = await manager.query<[ConnectionRow[], number]>(
      `UPDATE catalog.connections
          SET fields = $3, credentials = $4, rate_limit_rpm = $5, version = version + 1,
              updated_at = clock_timestamp(), health_due_at = clock_timestamp()
        WHERE tenant_id = $1 AND connection_id = $2 RETURNING ${COLUMNS}`,
      [tenantId, row.connection_id, row.fields, row.credentials, row.rate_limit_rpm],
    );
    return this.complete(tenantId, orNotFound(rows[0], row.connection_id));
  }

  async remove(manager: EntityManager, tenantId: string, connectionId: string): Promise<void> {
    await manager.query(
      `DELETE FROM catalog.connections WHERE tenant_id = $1 AND connection_id = $2`,
      [tenantId, connectionId],
    );
  }

  /** @throws {@link Problem} 404 `connection_not_found` */
  async find(manager: EntityManager, tenantId: string, name: string): Promise<ConnectionRow> {
    return orNotFound(await this.lookUp(manager, tenantId, name), name);
  }

  /**
   * The connection as it stays until this transaction ends.
   *
   * @throws {@link Problem} 404 `connection_not_found`
   */
  async lock(manager: EntityManager, tenantId: string, name: string): Promise<ConnectionRow> {
    const [row] = await manager.query<ConnectionRow[]>(
      `SELECT ${COLUMNS} FROM catalog.connections WHERE tenant_id = $1 AND name = $2 FOR UPDATE`,
      [tenantId, name],
    );
    return this.complete(tenantId, orNotFound(row, name));
  }

  async lookUp(
    manager: EntityManager,
    tenantId: string,
    name: string,
  ): Promise<ConnectionRow | undefined> {
    const [row] = await manager.query<ConnectionRow[]>(
      `SELECT ${COLUMNS} FROM catalog.connections WHERE tenant_id = $1 AND name = $2`,
      [tenantId, name],
    );
    return row && this.complete(tenantId, row);
  }

  /** By name; the cursor is the last name of a page. One more than the limit where there are more. */
  async list(
    manager: EntityManager,
    tenantId: string,
    { type, health, text, cursor, limit }: ConnectionListQuery,
  ): Promise<ConnectionRow[]> {
    const rows = await manager.query<ConnectionRow[]>(
      `SELECT ${COLUMNS} FROM catalog.connections
        WHERE tenant_id = $1 AND ($2::text IS NULL OR name > $2 COLLATE "C")
          AND ($3::text IS NULL OR type = $3)
          AND ($4::text IS NULL OR strpos(name, lower($4)) > 0 OR strpos(type, lower($4)) > 0)
          AND ($6::text IS NULL OR health = $6)
        ORDER BY name COLLATE "C" LIMIT $5`,
      [tenantId, cursor, type, text, limit + 1, health],
    );
    return rows.map((row) => this.complete(tenantId, row));
  }

  /** Not every backend's credentials are in the row: which are set is said here alone. */
  complete<Row extends Pick<ConnectionRow, 'name' | 'type' | 'credentials'>>(
    tenantId: string,
    row: Row,
  ): Row {
    const credentials = this.secrets.setOf(tenantId, row, this.types.find(row.type));
    return { ...row, credentials };
  }
}

/** @throws {@link Problem} 404 `connection_not_found` */
export function orNotFound<Row>(row: Row | undefined, name: string): Row {
  if (row === undefined) {
    throw new Problem({
      status: 404,
      code: 'connection_not_found',
      detail: `There is no connection "${name}". GET /api/v1/connections lists those that there are.`,
    });
  }
  return row;
}
