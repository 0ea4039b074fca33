import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Credentials outside of the database that go unless a connection has them. */
export class CredentialsToForget0018 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'CredentialsToForget0000000000018';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE catalog.credentials_to_forget (
        tenant_id     text        NOT NULL,
        -- Of a connection that is there, is gone, or never came to be.
        connection_id uuid        NOT NULL,
        field         text        NOT NULL,
        -- Until then somebody may be about to commit a connection that has it.
        due_at        timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, connection_id, field)
      );
      CREATE INDEX credentials_to_forget_due ON catalog.credentials_to_forget (due_at);
      ALTER TABLE catalog.credentials_to_forget ENABLE ROW LEVEL SECURITY;
      ALTER TABLE catalog.credentials_to_forget FORCE ROW LEVEL SECURITY;
      CREATE POLICY tenant ON catalog.credentials_to_forget TO connection_catalog
        USING (tenant_id = current_setting('app.current_tenant'));
      GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.credentials_to_forget TO connection_catalog;

      GRANT SELECT ON catalog.credentials_to_forget TO connection_catalog_sweep;
      CREATE POLICY sweep ON catalog.credentials_to_forget FOR SELECT TO connection_catalog_sweep
        USING (true)`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
