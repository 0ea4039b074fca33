import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whose turns were taken last, so that tenants take turns. */
export class TenantsServed0021 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'TenantsServed0000000000021';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      -- Unlogged, so that a sweep waits for no disk. What a crash empties costs one round of fairness.
      CREATE UNLOGGED TABLE conversation.tenants_served (
        tenant_id text        PRIMARY KEY,
        -- When a sweep last chose a turn of the tenant.
        served_at timestamptz NOT NULL
      ) WITH (fillfactor = 70);
      ALTER TABLE conversation.tenants_served ENABLE ROW LEVEL SECURITY;
      ALTER TABLE conversation.tenants_served FORCE ROW LEVEL SECURITY;
      GRANT SELECT, INSERT, UPDATE ON conversation.tenants_served TO conversation_worker_sweep;
      CREATE POLICY fairness ON conversation.tenants_served TO conversation_worker_sweep
        USING (true)`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
