import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which sessions were erased, kept apart from them: a restored backup has the sessions again. */
export class ErasureLedger0015 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'ErasureLedger0000000000015';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE conversation.erased_sessions (
        tenant_id  text        NOT NULL,
        session_id text        NOT NULL,
        erased_at  timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, session_id)
      );
      ALTER TABLE conversation.erased_sessions ENABLE ROW LEVEL SECURITY;
      ALTER TABLE conversation.erased_sessions FORCE ROW LEVEL SECURITY;
      CREATE POLICY tenant ON conversation.erased_sessions TO gateway
        USING (tenant_id = current_setting('app.current_tenant'));
      GRANT SELECT, INSERT ON conversation.erased_sessions TO gateway;

      -- Finds what a backup brought back.
      GRANT SELECT (tenant_id, session_id) ON conversation.erased_sessions TO gateway_sweep;
      CREATE POLICY restored ON conversation.erased_sessions FOR SELECT TO gateway_sweep
        USING (true)`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
