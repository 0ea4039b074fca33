import { Injectable } from '@nestjs/common';
import type { ConnectionPermit, PermitPath } from '@soma/contracts';
import {
  PERMIT_LEASE_MS,
  permitKey,
  type PermitRequest,
  Permits,
  TenantTransaction,
} from '@soma/persistence';
import { ConnectionTypes } from '../connection-types/connection-types.ts';
import type { ConnectionRow } from '../connections/connection-row.ts';
import { ConnectionsRepository } from '../connections/connections.repository.ts';

/** Lets services that cannot count by themselves use a connection no more than it may be used. */
@Injectable()
export class ConnectionPermits {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: ConnectionsRepository,
    private readonly types: ConnectionTypes,
    private readonly permits: Permits,
  ) {}

  /**
   * Waits in line with all others that use the connection.
   *
   * @throws {@link Problem} 404 `connection_not_found`, 422 `connection_type_gone`, 429
   *   `connection_rate_limited`
   */
  async take(tenantId: string, name: string, request: PermitRequest): Promise<ConnectionPermit> {
    const row = await this.find(tenantId, name);
    const limits = this.types.limitsOf(this.types.get(row.type), row.rate_limit_rpm);
    const key = permitKey(tenantId, row.connection_id);
    const { id } = await this.permits.take(key, limits, request);
    return { permit_id: id, expires_in: PERMIT_LEASE_MS / 1000 };
  }

  /** @throws {@link Problem} 404 `connection_not_found` */
  async renew(tenantId: string, path: PermitPath): Promise<void> {
    await this.permits.renew(await this.ticket(tenantId, path));
  }

  /** @throws {@link Problem} 404 `connection_not_found` */
  async release(tenantId: string, path: PermitPath): Promise<void> {
    await this.permits.release(await this.ticket(tenantId, path));
  }

  /** @throws {@link Problem} 404 `connection_not_found` */
  async pause(tenantId: string, name: string, forMs: number): Promise<void> {
    const { connection_id } = await this.find(tenantId, name);
    await this.permits.pause(permitKey(tenantId, connection_id), forMs);
  }

  private async ticket(
    tenantId: string,
    { name, permit_id }: PermitPath,
  ): Promise<{ key: string; id: string }> {
    const { connection_id } = await this.find(tenantId, name);
    return { key: permitKey(tenantId, connection_id), id: permit_id };
  }

  private find(tenantId: string, name: string): Promise<ConnectionRow> {
    return this.transaction.run(tenantId, (manager) =>
      this.connections.find(manager, tenantId, name),
    );
  }
}
