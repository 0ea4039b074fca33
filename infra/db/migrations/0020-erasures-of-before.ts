import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The ledger learns of the sessions that were erased before there was one. */
export class ErasuresOfBefore0020 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'ErasuresOfBefore0000000000020';

  async up(queryRunner: QueryRunner): Promise<void> {
    // The policies hold for the owner too, and show it no tenant's rows. Nobody else sees the tables
    // in between: what changes a table keeps it locked to the commit.
    await queryRunner.query(`
      ALTER TABLE conversation.sessions NO FORCE ROW LEVEL SECURITY;
      ALTER TABLE conversation.erased_sessions NO FORCE ROW LEVEL SECURITY;
      INSERT INTO conversation.erased_sessions (tenant_id, session_id, erased_at)
      SELECT tenant_id, session_id, deleted_at
        FROM conversation.sessions WHERE deleted_at IS NOT NULL
      ON CONFLICT DO NOTHING;
      ALTER TABLE conversation.erased_sessions FORCE ROW LEVEL SECURITY;
      ALTER TABLE conversation.sessions FORCE ROW LEVEL SECURITY`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
