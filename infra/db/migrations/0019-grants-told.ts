import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whether providers know of what was revoked, and one index less on what is written most. */
export class GrantsTold0019 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'GrantsTold0000000000019';

  async up(queryRunner: QueryRunner): Promise<void> {
    // When the provider was told that the grant is revoked: a repeat answers what is known.
    await queryRunner.query('ALTER TABLE catalog.oauth_grants ADD COLUMN told_at timestamptz');
    // Rotation goes through all secrets in the order of their keys.
    await queryRunner.query('DROP INDEX catalog.secrets_by_master_key');
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
