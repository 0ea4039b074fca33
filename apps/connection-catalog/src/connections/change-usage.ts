import { Injectable } from '@nestjs/common';
import type { ConnectionUsagePath } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import { ConnectionUsages } from './connection-usages.ts';
import { ConnectionsRepository } from './connections.repository.ts';

/** Notes what depends on a connection, as the service says that owns what depends on it. */
@Injectable()
export class ChangeUsage {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: ConnectionsRepository,
    private readonly usages: ConnectionUsages,
  ) {}

  /**
   * Under the lock of the connection: it is not deleted meanwhile.
   *
   * @throws {@link Problem} 404 `connection_not_found`
   */
  add(tenantId: string, { name, used_by, id }: ConnectionUsagePath): Promise<void> {
    return this.transaction.run(tenantId, async (manager) => {
      const { connection_id } = await this.connections.lock(manager, tenantId, name);
      const usage = { connectionId: connection_id, usedBy: used_by, userId: id };
      await this.usages.add(manager, tenantId, usage);
    });
  }

  /** What is not there is removed already. */
  remove(tenantId: string, { name, used_by, id }: ConnectionUsagePath): Promise<void> {
    return this.transaction.run(tenantId, async (manager) => {
      const row = await this.connections.lookUp(manager, tenantId, name);
      if (row !== undefined) {
        const usage = { connectionId: row.connection_id, usedBy: used_by, userId: id };
        await this.usages.remove(manager, tenantId, usage);
      }
    });
  }
}
