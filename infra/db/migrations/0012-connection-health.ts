import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How the connections are, and when each is looked at next. */
export class ConnectionHealth0012 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'ConnectionHealth0000000000012';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(COLUMNS);
    await queryRunner.query(CHECKS);
    await queryRunner.query(PROBING);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

const COLUMNS = `
  ALTER TABLE catalog.connections
    ADD COLUMN health text NOT NULL DEFAULT 'unknown'
      CHECK (health IN ('unknown', 'healthy', 'degraded', 'unhealthy', 'not_applicable')),
    -- Failures since the last success.
    ADD COLUMN health_failures   integer NOT NULL DEFAULT 0,
    -- Why the last check failed, by its stable name; null where it did not.
    ADD COLUMN health_reason     text,
    ADD COLUMN health_latency_ms integer,
    ADD COLUMN health_checked_at timestamptz,
    -- Since when it is as it is.
    ADD COLUMN health_changed_at timestamptz,
    -- When it is to be looked at. While a pod does so, it is when another pod may take over. A new
    -- connection is looked at at once.
    ADD COLUMN health_due_at     timestamptz NOT NULL DEFAULT clock_timestamp();
  CREATE INDEX connections_by_health_due ON catalog.connections (health_due_at);
  CREATE INDEX connections_by_health ON catalog.connections (tenant_id, health, name);
`;

const CHECKS = `
  -- The last checks of each connection.
  CREATE TABLE catalog.connection_checks (
    tenant_id     text        NOT NULL,
    connection_id uuid        NOT NULL,
    check_id      uuid        NOT NULL,
    checked_at    timestamptz NOT NULL,
    latency_ms    integer     NOT NULL,
    -- Null: it succeeded.
    reason        text,
    PRIMARY KEY (tenant_id, connection_id, check_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES catalog.connections ON DELETE CASCADE
  );
  ALTER TABLE catalog.connection_checks ENABLE ROW LEVEL SECURITY;
  ALTER TABLE catalog.connection_checks FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON catalog.connection_checks TO connection_catalog
    USING (tenant_id = current_setting('app.current_tenant'));
  GRANT SELECT, INSERT, DELETE ON catalog.connection_checks TO connection_catalog;
`;

const PROBING = `
  -- Whose turn it is, over all tenants, and nothing else of a connection.
  GRANT SELECT (tenant_id, connection_id, health_due_at), UPDATE (health_due_at)
    ON catalog.connections TO connection_catalog_sweep;
  CREATE POLICY probing_read ON catalog.connections FOR SELECT TO connection_catalog_sweep
    USING (true);
  CREATE POLICY probing_mark ON catalog.connections FOR UPDATE TO connection_catalog_sweep
    USING (true);
`;
