import type { MigrationInterface, QueryRunner } from 'typeorm';

/** People list the sessions that they began, which may be few among very many. */
export class SessionOwners0008 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'SessionOwners0000000000008';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE INDEX sessions_by_owner
        ON conversation.sessions (tenant_id, created_by, created_at, session_id)
        WHERE deleted_at IS NULL`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
