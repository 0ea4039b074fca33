import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tenants, the people and programs in them, API keys, and what identity tells the rest of Soma. */
export class Tenancy0004 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'Tenancy0000000000004';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(SWEEP_ROLE);
    await queryRunner.query(TABLES);
    await queryRunner.query(TENANT_POLICIES);
    await queryRunner.query(SWEEP_POLICIES);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

// Roles belong to the whole server, so another database may have it already. The service takes it
// only by SET ROLE.
const SWEEP_ROLE = `
  DO $$
  BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'identity_sweep') THEN
      CREATE ROLE identity_sweep;
    END IF;
    IF NOT pg_has_role('identity', 'identity_sweep', 'SET') THEN
      GRANT identity_sweep TO identity WITH INHERIT FALSE, SET TRUE;
    END IF;
  END $$;
`;

const TABLES = `
  -- People. One may be a member of several tenants, so they belong to none.
  CREATE TABLE identity.users (
    user_id           uuid        PRIMARY KEY,
    email             text        NOT NULL UNIQUE CHECK (email = lower(email)),
    email_verified_at timestamptz,
    display_name      text        NOT NULL,
    disabled_at       timestamptz,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp()
  );

  CREATE TABLE identity.tenants (
    tenant_id  text        PRIMARY KEY,
    name       text        NOT NULL,
    -- Grows with each change; what If-Match names.
    version    integer     NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
  );

  -- Changed only under the lock of the tenant's row, so that owners can be counted.
  CREATE TABLE identity.members (
    tenant_id  text        NOT NULL REFERENCES identity.tenants,
    user_id    uuid        NOT NULL REFERENCES identity.users,
    role       text        NOT NULL,
    version    integer     NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, user_id)
  );
  CREATE INDEX members_by_user ON identity.members (user_id);

  CREATE TABLE identity.invitations (
    tenant_id     text        NOT NULL REFERENCES identity.tenants,
    invitation_id uuid        NOT NULL,
    email         text        NOT NULL CHECK (email = lower(email)),
    role          text        NOT NULL,
    token_hash    bytea       NOT NULL UNIQUE,
    invited_by    text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at    timestamptz NOT NULL,
    accepted_at   timestamptz,
    revoked_at    timestamptz,
    PRIMARY KEY (tenant_id, invitation_id)
  );

  CREATE TABLE identity.service_accounts (
    tenant_id          text        NOT NULL REFERENCES identity.tenants,
    service_account_id uuid        NOT NULL,
    name               text        NOT NULL,
    version            integer     NOT NULL DEFAULT 1,
    created_by         text        NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at         timestamptz,
    PRIMARY KEY (tenant_id, service_account_id)
  );

  CREATE TABLE identity.api_keys (
    tenant_id          text        NOT NULL,
    key_id             uuid        NOT NULL UNIQUE,
    service_account_id uuid        NOT NULL,
    name               text        NOT NULL,
    secret_hash        bytea       NOT NULL,
    scopes             text[]      NOT NULL,
    created_by         text        NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at         timestamptz,
    revoked_at         timestamptz,
    -- To the minute, and a little late: it is written in batches.
    last_used_at       timestamptz,
    -- The key that this one replaces.
    rotated_from       uuid,
    PRIMARY KEY (tenant_id, key_id),
    FOREIGN KEY (tenant_id, service_account_id) REFERENCES identity.service_accounts
  );
  CREATE INDEX api_keys_by_service_account
    ON identity.api_keys (tenant_id, service_account_id);

  -- What was answered to writes that named a key, for the case that they are repeated.
  CREATE TABLE identity.idempotency_keys (
    tenant_id     text        NOT NULL,
    subject       text        NOT NULL,
    operation     text        NOT NULL,
    key           text        NOT NULL,
    body_hash     bytea       NOT NULL,
    -- Sealed under the master key: an answer may hold a secret that is shown once.
    sealed_answer text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, subject, operation, key)
  );
  CREATE INDEX idempotency_keys_by_age ON identity.idempotency_keys (created_at);

  -- The last change of each entity that other processes keep copies of; see config.updates.
  CREATE TABLE identity.config_updates (
    tenant_id    text        NOT NULL,
    entity       text        NOT NULL,
    entity_id    text        NOT NULL,
    version      bigint      NOT NULL,
    deleted      boolean     NOT NULL,
    occurred_at  timestamptz NOT NULL,
    -- Later than now for what takes effect later, such as the end of a rotated key.
    publish_at   timestamptz NOT NULL,
    -- Null until Kafka has it.
    published_at timestamptz,
    PRIMARY KEY (tenant_id, entity, entity_id)
  );
  CREATE INDEX config_updates_unpublished ON identity.config_updates (publish_at)
    WHERE published_at IS NULL;

  -- What the relationship server does not know yet. A tenant's changes are numbered under the lock
  -- of its row, so that their order is the order of commits. An applied one is deleted.
  CREATE TABLE identity.relationship_changes (
    change_id  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  text        NOT NULL,
    subject    text        NOT NULL,
    relation   text        NOT NULL,
    object     text        NOT NULL,
    is_removed boolean     NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
  );
`;

const TENANT_TABLES = [
  'tenants',
  'members',
  'invitations',
  'service_accounts',
  'api_keys',
  'idempotency_keys',
  'config_updates',
  'relationship_changes',
];

const TENANT_POLICIES =
  TENANT_TABLES.map(
    (table) => `
  ALTER TABLE identity.${table} ENABLE ROW LEVEL SECURITY;
  ALTER TABLE identity.${table} FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON identity.${table} TO identity
    USING (tenant_id = current_setting('app.current_tenant'));
  GRANT SELECT, INSERT, UPDATE, DELETE ON identity.${table} TO identity;`,
  ).join('\n') +
  `
  GRANT SELECT ON identity.users TO identity;
`;

// What is done over all tenants, or before a tenant is known, and nothing besides.
const SWEEP_POLICIES = `
  GRANT USAGE ON SCHEMA identity TO identity_sweep;
  GRANT SELECT, INSERT ON identity.signing_keys TO identity_sweep;
  GRANT SELECT, INSERT, UPDATE ON identity.users TO identity_sweep;

  -- Sign-in: which tenants a person is a member of.
  GRANT SELECT (tenant_id, user_id, role) ON identity.members TO identity_sweep;
  CREATE POLICY memberships ON identity.members FOR SELECT TO identity_sweep USING (true);

  -- An invitation or a key is a credential: whose it is, is known once it is found.
  GRANT SELECT ON identity.invitations TO identity_sweep;
  CREATE POLICY redemption ON identity.invitations FOR SELECT TO identity_sweep
    USING (accepted_at IS NULL AND revoked_at IS NULL);
  GRANT SELECT, UPDATE (last_used_at) ON identity.api_keys TO identity_sweep;
  CREATE POLICY exchange ON identity.api_keys FOR SELECT TO identity_sweep
    USING (revoked_at IS NULL);
  CREATE POLICY use ON identity.api_keys FOR UPDATE TO identity_sweep
    USING (revoked_at IS NULL);

  -- What waits to be told to the rest of Soma.
  GRANT SELECT, UPDATE (published_at) ON identity.config_updates TO identity_sweep;
  CREATE POLICY relay_read ON identity.config_updates FOR SELECT TO identity_sweep USING (true);
  CREATE POLICY relay_mark ON identity.config_updates FOR UPDATE TO identity_sweep USING (true);
  GRANT SELECT, DELETE ON identity.relationship_changes TO identity_sweep;
  CREATE POLICY applying ON identity.relationship_changes FOR ALL TO identity_sweep USING (true);

  -- Retention.
  GRANT SELECT (created_at), DELETE ON identity.idempotency_keys TO identity_sweep;
  CREATE POLICY retention ON identity.idempotency_keys FOR ALL TO identity_sweep
    USING (created_at < clock_timestamp() - interval '24 hours');
`;
