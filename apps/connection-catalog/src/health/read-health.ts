import { Injectable } from '@nestjs/common';
import type { ConnectionHealthReport, HealthReason } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import { ConnectionTypes } from '../connection-types/connection-types.ts';
import { ReadStatus } from '../oauth/read-status.ts';
import {
  type CheckedRow,
  type CheckRow,
  HealthRepository,
  type HealthRow,
} from './health.repository.ts';

const SENTENCES: Record<HealthReason, string> = {
  unreachable: 'Nobody answers at its address. Check the address, and whether the other side runs.',
  timeout: 'The other side did not answer within ten seconds.',
  address_refused:
    'Its address is not on the public internet, or not protected by TLS. Whoever operates this ' +
    'installation can allow hosts of its own network.',
  tls_refused: 'The other side does not encrypt, or its certificate cannot be trusted.',
  credential_refused: 'The other side does not accept the credential. Exchange it.',
  unexpected_answer: "What answers there is not what the connection's type says. Check its fields.",
  credential_unavailable: 'Its credential cannot be read. Set it again.',
};

/** Shows how a connection is. */
@Injectable()
export class ReadHealth {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly repository: HealthRepository,
    private readonly types: ConnectionTypes,
    private readonly authorisations: ReadStatus,
  ) {}

  /** @throws {@link Problem} 404 `connection_not_found` */
  find(tenantId: string, name: string): Promise<CheckedRow> {
    return this.transaction.run(tenantId, (manager) =>
      this.repository.findNamed(manager, tenantId, name),
    );
  }

  /** @throws {@link Problem} 404 `connection_not_found` */
  async report(connection: CheckedRow): Promise<ConnectionHealthReport> {
    const token = await this.tokenOf(connection);
    return this.transaction.run(connection.tenant_id, async (manager) => {
      const row = await this.repository.read(manager, connection);
      return toReport(row, await this.repository.history(manager, connection), token);
    });
  }

  private async tokenOf(connection: CheckedRow): Promise<ConnectionHealthReport['token']> {
    const { tenant_id, name, type } = connection;
    const authorisation = this.types.find(type)?.authorisation;
    if (authorisation === undefined) {
      return null;
    }
    const { status, reason, expires_at } = await this.authorisations.execute(tenant_id, name);
    const isUsed = authorisation === 'always' || status !== 'not_authorized';
    return isUsed ? { status, reason, expires_at } : null;
  }
}

function toReport(
  row: HealthRow,
  history: CheckRow[],
  token: ConnectionHealthReport['token'],
): ConnectionHealthReport {
  return {
    connection: row.name,
    health: row.health,
    failures: row.health_failures,
    reason: row.health_reason,
    detail: row.health_reason && SENTENCES[row.health_reason],
    latency_ms: row.health_latency_ms,
    checked_at: row.health_checked_at?.toISOString() ?? null,
    changed_at: row.health_changed_at?.toISOString() ?? null,
    token,
    history: history.map(({ checked_at, ...check }) => ({
      checked_at: checked_at.toISOString(),
      ...check,
    })),
  };
}
