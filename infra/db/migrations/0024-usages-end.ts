import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Usages of connections that are seen and not told, and end when they are seen no more. */
export class UsagesEnd0024 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'UsagesEnd0000000000024';

  async up(queryRunner: QueryRunner): Promise<void> {
    // Null: whoever told of it says when it ends.
    await queryRunner.query('ALTER TABLE catalog.connection_usages ADD COLUMN ends_at timestamptz');
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
