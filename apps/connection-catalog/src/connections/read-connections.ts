import { Injectable } from '@nestjs/common';
import {
  type ConnectionDetails,
  type ConnectionList,
  type ConnectionListQuery,
  toPage,
} from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import { ConnectionTypes } from '../connection-types/connection-types.ts';
import { toConnection } from './connection-row.ts';
import { ConnectionUsages } from './connection-usages.ts';
import { ConnectionsRepository } from './connections.repository.ts';

/** Shows connections, without the values of their credentials. */
@Injectable()
export class ReadConnections {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: ConnectionsRepository,
    private readonly usages: ConnectionUsages,
    private readonly types: ConnectionTypes,
  ) {}

  async list(tenantId: string, query: ConnectionListQuery): Promise<ConnectionList> {
    const rows = await this.transaction.run(tenantId, (manager) =>
      this.connections.list(manager, tenantId, query),
    );
    const { items, next_cursor } = toPage(rows, query.limit, ({ name }) => name);
    return {
      connections: items.map((row) => toConnection(row, this.types.find(row.type))),
      next_cursor,
    };
  }

  /** @throws {@link Problem} 404 `connection_not_found` */
  find(tenantId: string, name: string): Promise<ConnectionDetails> {
    return this.transaction.run(tenantId, async (manager) => {
      const row = await this.connections.find(manager, tenantId, name);
      const usages = await this.usages.list(manager, tenantId, row.connection_id);
      return { ...toConnection(row, this.types.find(row.type)), usages };
    });
  }
}
