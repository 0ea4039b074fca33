import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Connections, who uses them, and what the connection catalog tells the rest of Soma. */
export class Connections0010 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'Connections0000000000010';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(ROLES);
    await queryRunner.query(TABLES);
    await queryRunner.query(TENANT_POLICIES);
    await queryRunner.query(SWEEP_POLICIES);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

// Roles belong to the whole server, so another database may have them already. The service's cannot
// log in yet: passwords belong to the deployment. The other is taken only by SET ROLE.
const ROLES = `
  DO $$
  BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'connection_catalog') THEN
      CREATE ROLE connection_catalog;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'connection_catalog_sweep') THEN
      CREATE ROLE connection_catalog_sweep;
    END IF;
    IF NOT pg_has_role('connection_catalog', 'connection_catalog_sweep', 'SET') THEN
      GRANT connection_catalog_sweep TO connection_catalog WITH INHERIT FALSE, SET TRUE;
    END IF;
  END $$;
`;

const TABLES = `
  CREATE SCHEMA catalog;
  GRANT USAGE ON SCHEMA catalog TO connection_catalog, connection_catalog_sweep;

  CREATE TABLE catalog.connections (
    tenant_id     text        NOT NULL,
    connection_id uuid        NOT NULL,
    -- What everybody knows the connection by. It never changes.
    name          text        NOT NULL CHECK (name ~ '^[a-z0-9-]{1,128}$'),
    type          text        NOT NULL,
    -- What is not secret, as the type validated it: {"api_url": "https://…"}.
    fields        jsonb       NOT NULL,
    -- Which secrets are set: {"token": {"version": 3, "changed_at": "…"}}. Their values lie in the
    -- secret backend, under connection_id.
    credentials   jsonb       NOT NULL DEFAULT '{}',
    -- Null: the default of the type.
    rate_limit_rpm integer    CHECK (rate_limit_rpm > 0),
    -- Grows with each change; what If-Match names.
    version       integer     NOT NULL DEFAULT 1,
    created_by    text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, connection_id),
    UNIQUE (tenant_id, name)
  );
  CREATE INDEX connections_by_type ON catalog.connections (tenant_id, type, name);

  -- What would break without a connection, as the services say that own it.
  CREATE TABLE catalog.connection_usages (
    tenant_id     text        NOT NULL,
    connection_id uuid        NOT NULL,
    -- The kind of what uses it, such as model_provider or webhook_endpoint, and which one.
    used_by       text        NOT NULL,
    user_id       text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, connection_id, used_by, user_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES catalog.connections ON DELETE CASCADE
  );

  -- What was answered to writes that named a key, for the case that they are repeated.
  CREATE TABLE catalog.idempotency_keys (
    tenant_id     text        NOT NULL,
    subject       text        NOT NULL,
    operation     text        NOT NULL,
    key           text        NOT NULL,
    body_hash     bytea       NOT NULL,
    sealed_answer text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, subject, operation, key)
  );
  CREATE INDEX idempotency_keys_by_age ON catalog.idempotency_keys (created_at);

  -- The last change of each entity that other processes keep copies of; see config.updates.
  CREATE TABLE catalog.config_updates (
    tenant_id    text        NOT NULL,
    entity       text        NOT NULL,
    entity_id    text        NOT NULL,
    version      bigint      NOT NULL,
    deleted      boolean     NOT NULL,
    occurred_at  timestamptz NOT NULL,
    publish_at   timestamptz NOT NULL,
    -- Null until Kafka has it.
    published_at timestamptz,
    PRIMARY KEY (tenant_id, entity, entity_id)
  );
  CREATE INDEX config_updates_unpublished ON catalog.config_updates (publish_at)
    WHERE published_at IS NULL;
`;

const TENANT_TABLES = ['connections', 'connection_usages', 'idempotency_keys', 'config_updates'];

const TENANT_POLICIES = TENANT_TABLES.map(
  (table) => `
  ALTER TABLE catalog.${table} ENABLE ROW LEVEL SECURITY;
  ALTER TABLE catalog.${table} FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON catalog.${table} TO connection_catalog
    USING (tenant_id = current_setting('app.current_tenant'));
  GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.${table} TO connection_catalog;`,
).join('\n');

const SWEEP_POLICIES = `
  -- What waits to be told to the rest of Soma.
  GRANT SELECT, UPDATE (published_at) ON catalog.config_updates TO connection_catalog_sweep;
  CREATE POLICY relay_read ON catalog.config_updates FOR SELECT TO connection_catalog_sweep
    USING (true);
  CREATE POLICY relay_mark ON catalog.config_updates FOR UPDATE TO connection_catalog_sweep
    USING (true);

  -- Retention.
  GRANT SELECT (created_at), DELETE ON catalog.idempotency_keys TO connection_catalog_sweep;
  CREATE POLICY retention ON catalog.idempotency_keys FOR ALL TO connection_catalog_sweep
    USING (created_at < clock_timestamp() - interval '24 hours');
`;
