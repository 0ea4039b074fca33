import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The audit log: a chain of lines for each tenant, which nobody changes. */
export class Audit0007 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'Audit0000000000007';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(TABLES);
    await queryRunner.query(APPEND_ONLY);
    await queryRunner.query(RIGHTS);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

const TABLES = `
  CREATE SCHEMA audit;

  CREATE TABLE audit.audit_log (
    tenant_id     text           NOT NULL,
    -- Without gaps, in the order of commits: it is taken under the lock of the tenant's head.
    seq           bigint         NOT NULL,
    audit_id      uuid           NOT NULL,
    -- Milliseconds, as they are hashed.
    occurred_at   timestamptz(3) NOT NULL,
    actor_subject text           NOT NULL,
    actor_address text,
    action        text           NOT NULL,
    target_type   text           NOT NULL,
    target_id     text           NOT NULL,
    outcome       text           NOT NULL CHECK (outcome IN ('success', 'denied', 'failure')),
    request_id    text,
    details       json           NOT NULL,
    -- The hash of the line before; that of the first is all zeros.
    previous_hash text           NOT NULL,
    hash          text           NOT NULL,
    PRIMARY KEY (tenant_id, seq),
    -- What comes twice over the topic is written once.
    UNIQUE (tenant_id, audit_id)
  );
  CREATE INDEX audit_log_by_time ON audit.audit_log (tenant_id, occurred_at);
  CREATE INDEX audit_log_by_actor ON audit.audit_log (tenant_id, actor_subject, seq);
  CREATE INDEX audit_log_by_target ON audit.audit_log (tenant_id, target_type, target_id, seq);

  -- The last line of each chain. Whoever appends holds this row's lock to the commit.
  CREATE TABLE audit.chain_heads (
    tenant_id text   PRIMARY KEY,
    seq       bigint NOT NULL,
    hash      text   NOT NULL
  ) WITH (fillfactor = 70);

  -- The heads as they were written down, once a day, outside of this database too.
  CREATE TABLE audit.exported_heads (
    tenant_id   text        NOT NULL,
    day         date        NOT NULL,
    seq         bigint      NOT NULL,
    hash        text        NOT NULL,
    exported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, day)
  );
`;

// The grants keep the service from it; this also keeps an owner from doing it by mistake.
const APPEND_ONLY = `
  CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME
      USING ERRCODE = 'insufficient_privilege';
  END $$;

  CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.audit_log
    EXECUTE FUNCTION audit.refuse_change();
  CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.exported_heads
    EXECUTE FUNCTION audit.refuse_change();
  CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON audit.chain_heads
    EXECUTE FUNCTION audit.refuse_change();
`;

const RIGHTS = `
  GRANT USAGE ON SCHEMA audit TO identity, identity_sweep;
  GRANT SELECT, INSERT ON audit.audit_log, audit.exported_heads TO identity;
  GRANT SELECT, INSERT, UPDATE (seq, hash) ON audit.chain_heads TO identity;
  ${['audit_log', 'chain_heads', 'exported_heads']
    .map(
      (table) => `
  ALTER TABLE audit.${table} ENABLE ROW LEVEL SECURITY;
  ALTER TABLE audit.${table} FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON audit.${table} TO identity
    USING (tenant_id = current_setting('app.current_tenant'));`,
    )
    .join('\n')}

  -- The daily export finds the chains that it has to write down. It reads no line of any log.
  GRANT SELECT ON audit.chain_heads TO identity_sweep;
  CREATE POLICY daily_export ON audit.chain_heads FOR SELECT TO identity_sweep USING (true);
  GRANT SELECT, INSERT ON audit.exported_heads TO identity_sweep;
  CREATE POLICY daily_export ON audit.exported_heads FOR ALL TO identity_sweep USING (true);
`;
