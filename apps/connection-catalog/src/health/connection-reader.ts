import { Injectable } from '@nestjs/common';
import type { Secret } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { ConnectionTypes } from '../connection-types/connection-types.ts';
import { ConnectionSecrets } from '../secrets/connection-secrets.ts';
import { type CheckedRow, type DueConnection, HealthRepository } from './health.repository.ts';
import { ProbeFailure, type ProbeTarget } from './probe.ts';

/** Reads what a check needs: the connection as it is now, and its credentials. */
@Injectable()
export class ConnectionReader {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly repository: HealthRepository,
    private readonly types: ConnectionTypes,
    private readonly secrets: ConnectionSecrets,
  ) {}

  /** Undefined where it was deleted. */
  row(due: DueConnection): Promise<CheckedRow | undefined> {
    return this.transaction.run(due.tenant_id, (manager) => this.repository.find(manager, due));
  }

  /**
   * Undefined where its type is gone.
   *
   * @throws {@link ProbeFailure} when a credential cannot be read
   */
  async target(row: CheckedRow): Promise<ProbeTarget | undefined> {
    const type = this.types.find(row.type);
    if (type === undefined) {
      return undefined;
    }
    const credentials = new Map<string, Secret>();
    for (const [field, { version }] of Object.entries(row.credentials)) {
      credentials.set(field, await this.credential(row, field, version));
    }
    return { type, fields: row.fields, credentials };
  }

  private async credential(row: CheckedRow, field: string, version: number): Promise<Secret> {
    const location = { tenantId: row.tenant_id, connection: row.connection_id, field };
    const value = await this.secrets.backend.read(location, version).catch((error: unknown) => {
      throw new ProbeFailure('credential_unavailable', error);
    });
    if (value === undefined) {
      throw new ProbeFailure('credential_unavailable');
    }
    return value;
  }
}
