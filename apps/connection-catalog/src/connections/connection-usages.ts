import { Injectable } from '@nestjs/common';
import type { ConnectionUsage } from '@soma/contracts';
import type { EntityManager } from 'typeorm';

/** How long a usage that was seen counts. */
const SEEN_HOURS = 24;
/** It is written down again when so much of that is left: not each time that it is seen. */
const RENEW_AT_HOURS = 23;

/** What an MCP server that a tenant has installed is called among what uses a connection. */
export const MCP_INSTALLATION = 'mcp_installation';

/** What uses a connection: a kind of thing and which one. */
export interface UsageKey {
  connectionId: string;
  usedBy: string;
  userId: string;
}

interface UsageRow {
  used_by: string;
  user_id: string;
  created_at: Date;
}

/** What would break without a connection. Every method takes the tenant's transaction. */
@Injectable()
export class ConnectionUsages {
  async list(
    manager: EntityManager,
    tenantId: string,
    connectionId: string,
  ): Promise<ConnectionUsage[]> {
    const rows = await manager.query<UsageRow[]>(
      `SELECT used_by, user_id, created_at FROM catalog.connection_usages
        WHERE tenant_id = $1 AND connection_id = $2
          AND (ends_at IS NULL OR ends_at > clock_timestamp())
        ORDER BY used_by, user_id`,
      [tenantId, connectionId],
    );
    return rows.map(({ used_by, user_id, created_at }) => ({
      used_by,
      id: user_id,
      since: created_at.toISOString(),
    }));
  }

  /** Adding what is there already changes nothing. */
  async add(manager: EntityManager, tenantId: string, usage: UsageKey): Promise<void> {
    await manager.query(
      `INSERT INTO catalog.connection_usages (tenant_id, connection_id, used_by, user_id)
       VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
      [tenantId, usage.connectionId, usage.usedBy, usage.userId],
    );
  }

  /**
   * Notes that the connection is in use now, by what nobody takes back: it ends by itself, a day after
   * it was seen last.
   */
  async see(manager: EntityManager, tenantId: string, usage: UsageKey): Promise<void> {
    // The lock keeps the connection there, if it is.
    await manager.query(
      `INSERT INTO catalog.connection_usages AS known
         (tenant_id, connection_id, used_by, user_id, ends_at)
       SELECT $1, connection_id, $3, $4, clock_timestamp() + $5 * interval '1 hour'
         FROM catalog.connections
        WHERE tenant_id = $1 AND connection_id = $2 AND NOT EXISTS (
          SELECT FROM catalog.connection_usages
           WHERE tenant_id = $1 AND connection_id = $2 AND used_by = $3 AND user_id = $4
             AND ends_at > clock_timestamp() + $6 * interval '1 hour')
          FOR KEY SHARE
       ON CONFLICT (tenant_id, connection_id, used_by, user_id) DO UPDATE
          SET ends_at = excluded.ends_at,
              created_at = CASE WHEN known.ends_at < excluded.created_at THEN excluded.created_at
                                ELSE known.created_at END`,
      [
        ...[tenantId, usage.connectionId, usage.usedBy, usage.userId],
        ...[SEEN_HOURS, RENEW_AT_HOURS],
      ],
    );
  }

  async remove(manager: EntityManager, tenantId: string, usage: UsageKey): Promise<void> {
    await manager.query(
      `DELETE FROM catalog.connection_usages
        WHERE tenant_id = $1 AND connection_id = $2 AND used_by = $3 AND user_id = $4`,
      [tenantId, usage.connectionId, usage.usedBy, usage.userId],
    );
  }
}
