import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the connection catalog tells the audit log, which is committed with what it tells of. */
export class CatalogAuditOutbox0016 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'CatalogAuditOutbox0000000000016';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE catalog.audit_outbox (
        tenant_id text NOT NULL,
        -- Of version 7: the order of what happened.
        audit_id  uuid PRIMARY KEY,
        -- As the topic audit.events has it. Not jsonb, which refuses some of what people write.
        event     json NOT NULL
      );
      ALTER TABLE catalog.audit_outbox ENABLE ROW LEVEL SECURITY;
      ALTER TABLE catalog.audit_outbox FORCE ROW LEVEL SECURITY;
      CREATE POLICY tenant ON catalog.audit_outbox TO connection_catalog
        USING (tenant_id = current_setting('app.current_tenant'));
      -- What is told cannot be taken back.
      GRANT INSERT ON catalog.audit_outbox TO connection_catalog;

      GRANT SELECT, DELETE ON catalog.audit_outbox TO connection_catalog_sweep;
      CREATE POLICY relay ON catalog.audit_outbox FOR ALL TO connection_catalog_sweep
        USING (true)`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
