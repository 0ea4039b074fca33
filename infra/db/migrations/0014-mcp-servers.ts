import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The MCP servers that tenants have installed, and the tunnel from the internet. */
export class McpServers0014 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'McpServers0000000000014';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(INSTALLATIONS);
    await queryRunner.query(TUNNEL);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

const INSTALLATIONS = `
  CREATE TABLE catalog.mcp_installations (
    tenant_id     text        NOT NULL,
    -- An entry of the catalog, which is bundled with the service.
    entry_id      text        NOT NULL,
    -- Null where the entry needs none, and once its connection was deleted by force.
    connection_id uuid,
    installed_by  text        NOT NULL,
    installed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, entry_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES catalog.connections
      ON DELETE SET NULL (connection_id)
  );
  ALTER TABLE catalog.mcp_installations ENABLE ROW LEVEL SECURITY;
  ALTER TABLE catalog.mcp_installations FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON catalog.mcp_installations TO connection_catalog
    USING (tenant_id = current_setting('app.current_tenant'));
  GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.mcp_installations TO connection_catalog;
`;

// It is the service's as a whole, and no tenant's: it leads to everything behind the gateway.
const TUNNEL = `
  CREATE TABLE catalog.tunnel_leases (
    -- There is one tunnel over all pods.
    only_one       boolean     PRIMARY KEY DEFAULT true CHECK (only_one),
    -- The start that holds the lease; each has its own.
    owner          uuid        NOT NULL,
    provider       text        NOT NULL,
    -- Null until it is open.
    public_url     text,
    started_by     text        NOT NULL,
    started_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The owner moves it on while it lives.
    expires_at     timestamptz NOT NULL,
    stop_requested boolean     NOT NULL DEFAULT false
  );
  GRANT SELECT, UPDATE (stop_requested) ON catalog.tunnel_leases TO connection_catalog;
  GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.tunnel_leases TO connection_catalog_sweep;
`;
