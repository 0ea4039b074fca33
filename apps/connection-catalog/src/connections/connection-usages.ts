import { Injectable } from '@nestjs/common';
import type { ConnectionUsage } from '@soma/contracts';
import type { EntityManager } from 'typeorm';

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
        WHERE tenant_id = $1 AND connection_id = $2 ORDER BY used_by, user_id`,
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

  async remove(manager: EntityManager, tenantId: string, usage: UsageKey): Promise<void> {
    await manager.query(
      `DELETE FROM catalog.connection_usages
        WHERE tenant_id = $1 AND connection_id = $2 AND used_by = $3 AND user_id = $4`,
      [tenantId, usage.connectionId, usage.usedBy, usage.userId],
    );
  }
}
