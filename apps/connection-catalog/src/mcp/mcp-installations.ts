import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ConnectionsRepository } from '../connections/connections.repository.ts';
import type { OfferedConnection } from './fitting-connection.ts';

/** An entry that a tenant uses, with the connection that it uses it with. */
export interface InstallationRow {
  entry_id: string;
  connection_id: string | null;
  connection: OfferedConnection | null;
  installed_by: string;
  installed_at: Date;
}

/** What a new installation says. */
export type NewInstallation = Pick<InstallationRow, 'entry_id' | 'connection_id' | 'installed_by'>;

const SELECT = `
  SELECT entry_id, connection_id, installed_by, installed_at,
         CASE WHEN name IS NOT NULL THEN json_build_object(
           'name', name, 'type', type, 'fields', fields, 'credentials', credentials) END AS connection
    FROM catalog.mcp_installations LEFT JOIN catalog.connections USING (tenant_id, connection_id)
   WHERE tenant_id = $1`;

/** The MCP servers that a tenant has installed. Every method takes the tenant's transaction. */
@Injectable()
export class McpInstallations {
  constructor(private readonly connections: ConnectionsRepository) {}

  async list(manager: EntityManager, tenantId: string): Promise<InstallationRow[]> {
    const rows = await manager.query<InstallationRow[]>(`${SELECT} ORDER BY entry_id`, [tenantId]);
    return rows.map((row) => this.complete(tenantId, row));
  }

  /** The installation, which nobody else makes, changes or removes until this transaction ends. */
  async lock(
    manager: EntityManager,
    tenantId: string,
    entryId: string,
  ): Promise<InstallationRow | undefined> {
    // A row that is not there yet cannot be locked.
    await manager.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [
      JSON.stringify(['catalog.mcp_installations', tenantId, entryId]),
    ]);
    return this.find(manager, tenantId, entryId);
  }

  /** Makes the installation, or moves the one that there is to another connection. */
  async save(
    manager: EntityManager,
    tenantId: string,
    { entry_id, connection_id, installed_by }: NewInstallation,
  ): Promise<void> {
    await manager.query(
      `INSERT INTO catalog.mcp_installations (tenant_id, entry_id, connection_id, installed_by)
       VALUES ($1, $2, $3, $4)
       ON CONFLICT (tenant_id, entry_id) DO UPDATE SET connection_id = excluded.connection_id`,
      [tenantId, entry_id, connection_id, installed_by],
    );
  }

  async remove(manager: EntityManager, tenantId: string, entryId: string): Promise<void> {
    await manager.query(
      `DELETE FROM catalog.mcp_installations WHERE tenant_id = $1 AND entry_id = $2`,
      [tenantId, entryId],
    );
  }

  async find(
    manager: EntityManager,
    tenantId: string,
    entryId: string,
  ): Promise<InstallationRow | undefined> {
    const [row] = await manager.query<InstallationRow[]>(`${SELECT} AND entry_id = $2`, [
      tenantId,
      entryId,
    ]);
    return row && this.complete(tenantId, row);
  }

  /** Those of the names under which the tenant has a connection. */
  async connectionsNamed(
    manager: EntityManager,
    tenantId: string,
    names: readonly string[],
  ): Promise<Set<string>> {
    const rows = await manager.query<{ name: string }[]>(
      `SELECT name FROM catalog.connections WHERE tenant_id = $1 AND name = ANY ($2)`,
      [tenantId, names],
    );
    return new Set(rows.map(({ name }) => name));
  }

  private complete(tenantId: string, row: InstallationRow): InstallationRow {
    const { connection } = row;
    return { ...row, connection: connection && this.connections.complete(tenantId, connection) };
  }
}
