import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type AuditEvent, auditEvents } from '@soma/contracts';
import { RepeatedWork } from '@soma/kernel';
import type { SweepTransaction } from '@soma/persistence';
import type { CoalescingProducer } from '../coalescing-producer.ts';
import { noteOutboxAge } from '../messaging-metrics.ts';
import { isOnlySender } from '../only-sender.ts';

const POLL_MS = 500;
const ROWS_PER_PASS = 500;

/**
 * Brings lines of the audit log to Kafka, each at least once and the older ones first.
 *
 * A row is removed in the transaction that sends it. If Kafka does not take it, or the process dies,
 * the row is still there; if only the commit fails, it is sent again under the same id, and the log
 * takes it once.
 */
export class AuditOutboxRelay implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(AuditOutboxRelay.name);
  private readonly table: string;
  private readonly work = new RepeatedWork({
    everyMs: POLL_MS,
    act: () => this.sendWaiting(),
    onFailure: (error) => {
      this.logger.warn({ error, message: 'Sending audit events failed; trying again.' });
    },
  });

  /** @param schema - The service's own. Its sweep role may read and empty the table there. */
  constructor(
    schema: string,
    private readonly sweep: SweepTransaction,
    private readonly producer: Pick<CoalescingProducer, 'sendAll'>,
  ) {
    this.table = `${schema}.audit_outbox`;
  }

  onApplicationBootstrap(): void {
    this.work.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.work.stop();
  }

  private async sendWaiting(): Promise<void> {
    await this.sweep.run(async (manager) => {
      if (!(await isOnlySender(manager, this.table))) {
        noteOutboxAge('audit', undefined);
        return;
      }
      const rows = await manager.query<{ event: AuditEvent }[]>(
        `WITH taken AS (
           DELETE FROM ${this.table} WHERE audit_id IN (
             SELECT audit_id FROM ${this.table} ORDER BY audit_id LIMIT $1)
           RETURNING audit_id, event
         )
         SELECT event FROM taken ORDER BY audit_id`,
        [ROWS_PER_PASS],
      );
      const [oldest] = rows;
      noteOutboxAge('audit', oldest && new Date(oldest.event.occurred_at));
      if (rows.length > 0) {
        await this.producer.sendAll(rows.map(toRecord));
      }
    });
  }
}

function toRecord({ event }: { event: AuditEvent }): {
  topic: string;
  key: string;
  value: string;
} {
  return {
    topic: auditEvents.name,
    key: auditEvents.key(event),
    value: JSON.stringify(event),
  };
}
