import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type ConfigUpdate, configUpdates } from '@soma/contracts';
import { RepeatedWork } from '@soma/kernel';
import type { SweepTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import type { CoalescingProducer } from '../coalescing-producer.ts';
import { noteOutboxAge } from '../messaging-metrics.ts';
import { isOnlySender } from '../only-sender.ts';
import type { OutgoingRecord } from '../outgoing-record.ts';

/** A revocation is to be known everywhere within a second. */
const POLL_MS = 200;
const ROWS_PER_PASS = 200;

interface Row {
  tenant_id: string;
  entity: ConfigUpdate['entity'];
  entity_id: string;
  /** A bigint, which the driver leaves as text. */
  version: string;
  deleted: boolean;
  occurred_at: Date;
  publish_at: Date;
}

/**
 * Brings updates to Kafka, each at least once, and those of one entity in their order.
 *
 * One pod at a time sends. If two did, an older update could come to lie behind a newer one, and a
 * compacted topic keeps the last. No row is locked meanwhile, so that nobody who revokes something
 * waits for Kafka: a row that changes while it is sent has another version then, and is sent again.
 */
export class ConfigUpdatesRelay implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(ConfigUpdatesRelay.name);
  private readonly work = new RepeatedWork({
    everyMs: POLL_MS,
    act: () => this.publishWaiting(),
    onFailure: (error) => {
      this.logger.warn({ error, message: 'Publishing updates failed; trying again.' });
    },
  });

  /** @param schema - The service's own. Its sweep role may read and mark the table there. */
  constructor(
    private readonly schema: string,
    private readonly sweep: SweepTransaction,
    private readonly producer: CoalescingProducer,
  ) {}

  onApplicationBootstrap(): void {
    this.work.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.work.stop();
  }

  private async publishWaiting(): Promise<void> {
    await this.sweep.run(async (manager) => {
      if (!(await isOnlySender(manager, `${this.schema}.config_updates`))) {
        noteOutboxAge('config_updates', undefined);
        return;
      }
      const rows = await manager.query<Row[]>(
        `SELECT tenant_id, entity, entity_id, version, deleted, occurred_at, publish_at
           FROM ${this.schema}.config_updates
          WHERE published_at IS NULL AND publish_at <= statement_timestamp()
          ORDER BY publish_at LIMIT $1`,
        [ROWS_PER_PASS],
      );
      noteOutboxAge('config_updates', rows[0]?.publish_at);
      if (rows.length > 0) {
        await this.producer.sendAll(rows.map(toRecord));
        await markPublished(manager, this.schema, rows);
      }
      if (rows.length === ROWS_PER_PASS) {
        this.work.wake();
      }
    });
  }
}

async function markPublished(manager: EntityManager, schema: string, rows: Row[]): Promise<void> {
  await manager.query(
    `UPDATE ${schema}.config_updates AS kept SET published_at = clock_timestamp()
       FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
         AS sent (tenant_id, entity, entity_id, version)
      WHERE (kept.tenant_id, kept.entity, kept.entity_id, kept.version)
          = (sent.tenant_id, sent.entity, sent.entity_id, sent.version)`,
    [
      rows.map(({ tenant_id }) => tenant_id),
      rows.map(({ entity }) => entity),
      rows.map(({ entity_id }) => entity_id),
      rows.map(({ version }) => version),
    ],
  );
}

function toRecord({
  tenant_id,
  entity,
  entity_id,
  version,
  deleted,
  occurred_at,
}: Row): OutgoingRecord {
  const update: ConfigUpdate = {
    schema: configUpdates.version,
    entity,
    id: entity_id,
    version: Number(version),
    deleted,
    tenant_id,
    occurred_at: occurred_at.toISOString(),
  };
  return {
    topic: configUpdates.name,
    key: configUpdates.key(update),
    value: JSON.stringify(update),
  };
}
