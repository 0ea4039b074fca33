import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The calls of tools for which turns wait. */
export class OpenCalls0003 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'OpenCalls0000000000003';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(TABLE);
    await queryRunner.query(POLICIES);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

const TABLE = `
  -- A row lives from the commit in which a turn begins to wait to the one that stores the call's
  -- result, or ends the turn. A turn that waits and has none is ready to be taken.
  CREATE TABLE conversation.open_calls (
    tenant_id  text        NOT NULL,
    session_id text        NOT NULL,
    call_id    text        NOT NULL,
    -- The turn's.
    seq        integer     NOT NULL,
    -- That of the tool.start row, which holds all that was asked for.
    start_seq  integer     NOT NULL,
    -- At which the turn waits: a result that names another one is ignored.
    attempt    integer     NOT NULL,
    deadline   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, session_id, call_id)
  );
  CREATE INDEX open_calls_by_deadline ON conversation.open_calls (deadline);
`;

const POLICIES = `
  ALTER TABLE conversation.open_calls ENABLE ROW LEVEL SECURITY;
  ALTER TABLE conversation.open_calls FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON conversation.open_calls TO gateway, conversation_worker
    USING (tenant_id = current_setting('app.current_tenant'));
  GRANT SELECT, INSERT, DELETE ON conversation.open_calls TO conversation_worker;
  -- A cancel and a deletion of a session end what was waited for.
  GRANT SELECT, DELETE ON conversation.open_calls TO gateway;

  -- Workers: which calls nobody waits for any longer.
  GRANT SELECT ON conversation.open_calls TO conversation_worker_sweep;
  CREATE POLICY overdue ON conversation.open_calls FOR SELECT TO conversation_worker_sweep
    USING (deadline <= clock_timestamp());
`;
