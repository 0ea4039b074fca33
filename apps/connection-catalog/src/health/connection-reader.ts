import { Injectable } from '@nestjs/common';
import { openConnection } from '@soma/connections';
import type { ConnectionLease, HealthReason } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { permitKey, TenantTransaction } from '@soma/persistence';
import { ConnectionTypes } from '../connection-types/connection-types.ts';
import { ResolveConnection } from '../connections/resolve-connection.ts';
import { type CheckedRow, type DueConnection, HealthRepository } from './health.repository.ts';
import { type LimitedTarget, ProbeFailure } from './probe.ts';

/** What it says of a connection that its credentials cannot be had. */
const REASONS: Record<string, HealthReason> = {
  connection_reauthorization_required: 'credential_refused',
  connection_token_unavailable: 'credential_unavailable',
  credential_unavailable: 'credential_unavailable',
};

/** Reads what a check needs: the connection as it is now, and its credentials as tools get them. */
@Injectable()
export class ConnectionReader {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly repository: HealthRepository,
    private readonly types: ConnectionTypes,
    private readonly resolve: ResolveConnection,
  ) {}

  /** Undefined where it was deleted. */
  row(due: DueConnection): Promise<CheckedRow | undefined> {
    return this.transaction.run(due.tenant_id, (manager) => this.repository.find(manager, due));
  }

  /**
   * Undefined where there is nothing to check: its type is gone, or it is a token, whose state is
   * known.
   *
   * @throws {@link ProbeFailure} when a credential cannot be had
   */
  async target(row: CheckedRow): Promise<LimitedTarget | undefined> {
    const type = this.types.find(row.type);
    if (type === undefined || type.authorisation === 'always') {
      return undefined;
    }
    const { fields, credentials, http, rateLimitRpm } = openConnection(await this.lease(row));
    const use = {
      key: permitKey(row.tenant_id, row.connection_id),
      limits: this.types.limitsOf(type, rateLimitRpm),
    };
    return { type, fields, credentials, http, use };
  }

  private async lease({ tenant_id, name }: CheckedRow): Promise<ConnectionLease> {
    try {
      const user = { tenant_id, subject: 'connection-catalog' };
      return await this.resolve.execute(user, { name, purpose: 'tool' });
    } catch (error) {
      const reason = error instanceof Problem ? REASONS[error.code] : undefined;
      throw reason === undefined ? error : new ProbeFailure(reason, error);
    }
  }
}
