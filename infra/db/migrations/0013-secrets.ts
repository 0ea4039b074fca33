import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The credentials of connections, sealed. */
export class Secrets0013 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'Secrets0000000000013';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(TABLES);
    await queryRunner.query(TENANT_POLICIES);
    await queryRunner.query(ROTATION);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

const TABLES = `
  CREATE TABLE catalog.secrets (
    tenant_id     text        NOT NULL,
    connection_id uuid        NOT NULL,
    field         text        NOT NULL,
    version       integer     NOT NULL,
    -- Under a data key that the master key wraps, for this very row.
    sealed        text        NOT NULL,
    -- Which master key that was, as the text says.
    master_key_id text        NOT NULL GENERATED ALWAYS AS (split_part(sealed, '.', 2)) STORED,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, connection_id, field, version)
  );
  CREATE INDEX secrets_by_master_key ON catalog.secrets (master_key_id);

  -- The last version that a secret ever had. It outlives the secret: no version comes twice.
  CREATE TABLE catalog.secret_versions (
    tenant_id     text    NOT NULL,
    connection_id uuid    NOT NULL,
    field         text    NOT NULL,
    last_version  integer NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, field)
  );
`;

const TENANT_POLICIES = ['secrets', 'secret_versions']
  .map(
    (table) => `
  ALTER TABLE catalog.${table} ENABLE ROW LEVEL SECURITY;
  ALTER TABLE catalog.${table} FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON catalog.${table} TO connection_catalog
    USING (tenant_id = current_setting('app.current_tenant'));
  GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.${table} TO connection_catalog;`,
  )
  .join('\n');

// When a new master key comes, what the old one wrapped is wrapped anew. The values stay as they are.
const ROTATION = `
  GRANT SELECT, UPDATE (sealed) ON catalog.secrets TO connection_catalog_sweep;
  CREATE POLICY rotation_read ON catalog.secrets FOR SELECT TO connection_catalog_sweep
    USING (true);
  CREATE POLICY rotation_write ON catalog.secrets FOR UPDATE TO connection_catalog_sweep
    USING (true);
`;
