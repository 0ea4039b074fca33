import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The schema of the identity service. */
export class Identity0002 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'Identity0000000000002';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(ROLE);
    await queryRunner.query(TABLES);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

// Roles belong to the whole server, so another database may have it already. It cannot log in yet:
// passwords belong to the deployment.
const ROLE = `
  DO $$
  BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'identity') THEN
      CREATE ROLE identity;
    END IF;
  END $$;
`;

const TABLES = `
  CREATE SCHEMA identity;
  GRANT USAGE ON SCHEMA identity TO identity;

  -- The keys that sign access tokens. They belong to no tenant, so there is no row-level security.
  CREATE TABLE identity.signing_keys (
    kid        text        PRIMARY KEY,
    -- The private key, sealed under the master key of the service for this kid.
    sealed_jwk text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  GRANT SELECT, INSERT ON identity.signing_keys TO identity;
`;
