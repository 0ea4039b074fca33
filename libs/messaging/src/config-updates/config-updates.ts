import type { ConfigUpdate } from '@soma/contracts';
import type { EntityManager } from 'typeorm';

/** What changed, as the topic `config.updates` will say it. */
export interface ConfigChange {
  tenant_id: string;
  entity: ConfigUpdate['entity'];
  id: string;
  /** One that is not above the entity's last one is raised above it, but for a principal's. */
  version: number;
  deleted: boolean;
  /** When it takes effect. Default: now. */
  at?: Date;
}

/**
 * Tells every process of Soma to let go of what it remembers of an entity.
 *
 * What is told lies in the table `config_updates` of the service's own schema until Kafka has it.
 */
export class ConfigUpdates {
  readonly #upsert: string;

  /** @param schema - The service's own. */
  constructor(schema: string) {
    this.#upsert = upsertInto(schema);
  }

  /**
   * Writes the updates in the transaction of the change itself, so that neither is without the other.
   *
   * @param manager - Of the tenant's transaction.
   * @param changes - Of an entity each.
   */
  async append(manager: EntityManager, ...changes: readonly ConfigChange[]): Promise<void> {
    if (changes.length === 0) {
      return;
    }
    await manager.query(this.#upsert, [
      changes.map(({ tenant_id }) => tenant_id),
      changes.map(({ entity }) => entity),
      changes.map(({ id }) => id),
      changes.map(({ version }) => version),
      changes.map(({ deleted }) => deleted),
      changes.map(({ at }) => at ?? null),
    ]);
  }
}

// One row for each entity, with its last state: readers need no other. What waits for a later time
// is overtaken by what takes effect earlier. They are taken in the order of their keys, so that two
// transactions wait for each other and never in a circle.
const upsertInto = (schema: string): string => `
  INSERT INTO ${schema}.config_updates AS kept
    (tenant_id, entity, entity_id, version, deleted, occurred_at, publish_at)
  SELECT tenant_id, entity, entity_id, version, deleted, coalesce(at, clock_timestamp()),
         coalesce(at, clock_timestamp())
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::timestamptz[])
           AS changed (tenant_id, entity, entity_id, version, deleted, at)
   ORDER BY tenant_id, entity, entity_id
  ON CONFLICT (tenant_id, entity, entity_id) DO UPDATE
     SET version = greatest(excluded.version, kept.version + (excluded.entity <> 'principal')::int),
         deleted = excluded.deleted,
         occurred_at = CASE WHEN kept.published_at IS NULL
                            THEN least(kept.occurred_at, excluded.occurred_at)
                            ELSE excluded.occurred_at END,
         publish_at = CASE WHEN kept.published_at IS NULL
                           THEN least(kept.publish_at, excluded.publish_at)
                           ELSE excluded.publish_at END,
         published_at = NULL`;
