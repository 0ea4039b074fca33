import { Controller } from '@nestjs/common';
import { type AuditEvent, auditEvents } from '@soma/contracts';
import { OnTopicBatch, type TopicBatch } from '@soma/messaging';
import { TenantTransaction } from '@soma/persistence';
import { AuditLog } from './audit-log.ts';

/** Takes over what happened in other services. */
@Controller()
export class AuditEventsController {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly log: AuditLog,
  ) {}

  @OnTopicBatch(auditEvents, { group: 'identity' })
  async append(batch: TopicBatch<AuditEvent>): Promise<void> {
    const byTenant = Map.groupBy(
      batch.map(({ value }) => value),
      ({ tenant_id }) => tenant_id,
    );
    // In one order everywhere, so that two pods never wait for each other's heads.
    const tenants = [...byTenant.keys()].sort();
    await this.transaction.runEach(tenants, (manager, tenantId) =>
      this.log.appendEvents(manager, tenantId, byTenant.get(tenantId) ?? []),
    );
  }
}
