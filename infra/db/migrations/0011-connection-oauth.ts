import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Authorisations of connections at their providers: those under way, and what came of them. */
export class ConnectionOAuth0011 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'ConnectionOAuth0000000000011';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(TABLES);
    await queryRunner.query(TENANT_POLICIES);
    await queryRunner.query(SWEEP_POLICIES);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

const TABLES = `
  -- Somebody is asked whether Soma may. The newest of a connection counts.
  CREATE TABLE catalog.oauth_flows (
    tenant_id     text        NOT NULL,
    flow_id       uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    grant_type    text        NOT NULL CHECK (grant_type IN ('authorization_code', 'device_code')),
    -- How the connection speaks to its provider. Not secret.
    client        jsonb       NOT NULL,
    -- The version of the client's secret, where Soma registered the client by itself.
    client_secret_version integer,
    started_by    text        NOT NULL,
    redirect_uri  text,
    -- Hashes: who reads this table can finish nobody's sign-in.
    state_hash    bytea,
    browser_hash  bytea,
    -- The version of the device code in the secret backend, and when it may be asked for again.
    device_code_version integer,
    poll_seconds  integer,
    due_at        timestamptz,
    leased_until  timestamptz,
    -- Why it came to nothing.
    ended         text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, flow_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES catalog.connections ON DELETE CASCADE
  );
  CREATE UNIQUE INDEX oauth_flows_by_state ON catalog.oauth_flows (state_hash);
  CREATE INDEX oauth_flows_by_connection ON catalog.oauth_flows (tenant_id, connection_id);
  CREATE INDEX oauth_flows_due ON catalog.oauth_flows (due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX oauth_flows_by_expiry ON catalog.oauth_flows (expires_at);

  -- What Soma may do for a connection. The tokens lie in the secret backend, under connection_id.
  CREATE TABLE catalog.oauth_grants (
    tenant_id      text        NOT NULL,
    connection_id  uuid        NOT NULL,
    grant_type     text        NOT NULL
      CHECK (grant_type IN ('authorization_code', 'device_code', 'client_credentials')),
    client         jsonb       NOT NULL,
    client_secret_version integer,
    status         text        NOT NULL
      CHECK (status IN ('active', 'expired', 'revoked', 'reauthorization_required')),
    reason         text,
    -- Raised with each token that is stored: an answer counts for the one that it was asked for.
    generation     integer     NOT NULL,
    token_version  integer     NOT NULL,
    is_renewable   boolean     NOT NULL,
    scope          text,
    expires_at     timestamptz,
    -- When something is to be done; null when nothing is.
    due_at         timestamptz,
    -- A refresh token has left, and its answer is not stored yet.
    sent_at        timestamptz,
    failures       integer     NOT NULL DEFAULT 0,
    -- Who renews it holds it so long, and knows itself by the number.
    leased_until   timestamptz,
    attempt        integer     NOT NULL DEFAULT 0,
    authorized_by  text        NOT NULL,
    authorized_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    renewed_at     timestamptz,
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES catalog.connections ON DELETE CASCADE
  ) WITH (fillfactor = 70);
  CREATE INDEX oauth_grants_due ON catalog.oauth_grants (due_at) WHERE due_at IS NOT NULL;

  -- Providers that are left alone for a while because they did not answer.
  CREATE TABLE catalog.oauth_pauses (
    tenant_id      text        NOT NULL,
    token_endpoint text        NOT NULL,
    failures       integer     NOT NULL,
    until          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, token_endpoint)
  );
  CREATE INDEX oauth_pauses_by_time ON catalog.oauth_pauses (until);
`;

const TENANT_POLICIES = ['oauth_flows', 'oauth_grants', 'oauth_pauses']
  .map(
    (table) => `
  ALTER TABLE catalog.${table} ENABLE ROW LEVEL SECURITY;
  ALTER TABLE catalog.${table} FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON catalog.${table} TO connection_catalog
    USING (tenant_id = current_setting('app.current_tenant'));
  GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.${table} TO connection_catalog;`,
  )
  .join('\n');

const SWEEP_POLICIES = `
  -- A browser that comes back brings a state, from which its tenant is known; a device's code is asked
  -- for by whichever pod has the time; what nobody finished is forgotten.
  GRANT SELECT, UPDATE (leased_until), DELETE ON catalog.oauth_flows TO connection_catalog_sweep;
  CREATE POLICY sweep ON catalog.oauth_flows FOR ALL TO connection_catalog_sweep USING (true);

  -- Tokens are renewed by whichever pod has the time. It takes the lease and changes nothing else.
  GRANT SELECT, UPDATE (leased_until, attempt, sent_at) ON catalog.oauth_grants
    TO connection_catalog_sweep;
  CREATE POLICY renewal_read ON catalog.oauth_grants FOR SELECT TO connection_catalog_sweep
    USING (due_at IS NOT NULL);
  CREATE POLICY renewal_lease ON catalog.oauth_grants FOR UPDATE TO connection_catalog_sweep
    USING (due_at IS NOT NULL);
  GRANT SELECT, DELETE ON catalog.oauth_pauses TO connection_catalog_sweep;
  CREATE POLICY sweep ON catalog.oauth_pauses FOR ALL TO connection_catalog_sweep USING (true);
`;
