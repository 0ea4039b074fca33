import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the authorisation server keeps, and when its keys sign. */
export class OAuth0005 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'OAuth0000000000005';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(RECORDS);
    await queryRunner.query(KEYS);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

const RECORDS = `
  -- Sessions, sign-ins under way, codes, refresh tokens. They are found before it is known whose
  -- they are, so there is no row-level security.
  CREATE TABLE identity.oidc_records (
    model          text        NOT NULL,
    -- Who has the id has the record: it is kept as a hash.
    id_hash        bytea       NOT NULL,
    -- Sealed under the master key for this model and hash.
    sealed_payload text        NOT NULL,
    -- What is revoked together: everything that comes of one sign-in at one client.
    grant_hash     bytea,
    uid_hash       bytea,
    user_code_hash bytea,
    consumed_at    timestamptz,
    -- What was answered to the request that consumed it, sealed; for the same request again.
    sealed_answer  text,
    expires_at     timestamptz NOT NULL,
    PRIMARY KEY (model, id_hash)
  );
  CREATE INDEX oidc_records_by_grant ON identity.oidc_records (grant_hash)
    WHERE grant_hash IS NOT NULL;
  CREATE INDEX oidc_records_by_uid ON identity.oidc_records (uid_hash)
    WHERE uid_hash IS NOT NULL;
  CREATE INDEX oidc_records_by_user_code ON identity.oidc_records (user_code_hash)
    WHERE user_code_hash IS NOT NULL;
  CREATE INDEX oidc_records_by_expiry ON identity.oidc_records (expires_at);
  GRANT SELECT, INSERT, UPDATE, DELETE ON identity.oidc_records TO identity, identity_sweep;
`;

const KEYS = `
  ALTER TABLE identity.signing_keys
    -- The part of a key of Vault that verifies. Of others it is part of what is sealed.
    ADD COLUMN public_jwk jsonb,
    -- From when it signs; it is published from created_at on.
    ADD COLUMN signs_from timestamptz,
    -- The key of HashiCorp Vault that signs, instead of a sealed one.
    ADD COLUMN vault_key text,
    ADD COLUMN vault_version integer,
    ALTER COLUMN sealed_jwk DROP NOT NULL;
  UPDATE identity.signing_keys SET signs_from = created_at;
  ALTER TABLE identity.signing_keys
    ALTER COLUMN signs_from SET NOT NULL,
    ADD CHECK (num_nonnulls(sealed_jwk, vault_key) = 1),
    ADD CHECK (num_nulls(vault_key, vault_version) IN (0, 2));
  GRANT DELETE ON identity.signing_keys TO identity_sweep;

  -- Somebody wants a new key before the quarter is over; a running service makes it.
  CREATE TABLE identity.key_rotations (
    rotation_id  uuid        PRIMARY KEY,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  GRANT SELECT, INSERT ON identity.key_rotations TO identity;
  GRANT SELECT ON identity.key_rotations TO identity_sweep;
`;
