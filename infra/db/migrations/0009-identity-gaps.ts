import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Single access tokens that are void, as long as somebody may come with one. */
export class IdentityGaps0009 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'IdentityGaps0000000000009';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(RETENTION);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

// A token is good for a quarter of an hour; what voids one alone (an update of a principal that is
// marked as deleted) is of no use after that. All others stay: a pod that starts must hear of them.
const RETENTION = `
  GRANT DELETE ON identity.config_updates TO identity_sweep;
  CREATE POLICY retention ON identity.config_updates FOR DELETE TO identity_sweep
    USING (entity = 'principal' AND deleted
           AND published_at < clock_timestamp() - interval '1 hour');
`;
