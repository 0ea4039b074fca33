import { Injectable } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import type { ConnectionHealthReport } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import { ConnectionChanges } from '../connections/connection-changes.ts';
import { CheckHealth } from './check-health.ts';
import { ReadHealth } from './read-health.ts';

/** Tries a connection because somebody asks. */
@Injectable()
export class TestConnection {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly health: ReadHealth,
    private readonly check: CheckHealth,
    private readonly changes: ConnectionChanges,
  ) {}

  /** @throws {@link Problem} 404 `connection_not_found`, 429 `connection_rate_limited`, 503 `health_checks_busy` */
  async execute({ principal, origin }: Caller, name: string): Promise<ConnectionHealthReport> {
    const { tenant_id: tenantId } = principal;
    const row = await this.health.find(tenantId, name);
    await this.check.ask(row);
    const report = await this.health.report(row);
    const { health, reason } = report;
    await this.transaction.run(tenantId, (manager) =>
      this.changes.record(manager, {
        ...{ origin, tenantId, name, action: 'connection.tested' },
        outcome: reason === null ? 'success' : 'failure',
        details: { health, reason },
      }),
    );
    return report;
  }
}
