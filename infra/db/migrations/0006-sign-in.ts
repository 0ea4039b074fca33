import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How people sign in, and what they prove it with besides. */
export class SignIn0006 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'SignIn0000000000006';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(TABLES);
    await queryRunner.query(RIGHTS);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

// All of it belongs to people, and people to no tenant.
const TABLES = `
  -- Accounts elsewhere that a person signs in with, one at each provider.
  CREATE TABLE identity.linked_accounts (
    provider     text        NOT NULL,
    -- The provider's own id of the person: an address may change hands, this does not.
    subject      text        NOT NULL,
    user_id      uuid        NOT NULL REFERENCES identity.users,
    email        text        NOT NULL,
    linked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, subject),
    UNIQUE (user_id, provider)
  );

  -- Sign-ins that have come back from a provider and are not finished.
  CREATE TABLE identity.sign_ins (
    -- Of oidc-provider, which knows by a cookie whose browser it is.
    interaction_uid text        PRIMARY KEY,
    -- Null until a provider has told of somebody whom we know.
    user_id         uuid        REFERENCES identity.users,
    amr             text[]      NOT NULL,
    -- An account that waits to be linked to somebody who has yet to sign in and to confirm it.
    waiting_account jsonb,
    waiting_for     uuid        REFERENCES identity.users,
    expires_at      timestamptz NOT NULL
  );
  CREATE INDEX sign_ins_by_expiry ON identity.sign_ins (expires_at);

  -- States of sign-ins that have come back, so that none comes back twice. A hash, for a state is a
  -- secret of the browser that holds it.
  CREATE TABLE identity.used_states (
    state_hash bytea       PRIMARY KEY,
    expires_at timestamptz NOT NULL
  );
  CREATE INDEX used_states_by_expiry ON identity.used_states (expires_at);

  -- Apps that show a code for each half minute.
  CREATE TABLE identity.totp_factors (
    user_id        uuid        PRIMARY KEY REFERENCES identity.users,
    -- Sealed under the master key of the service for this person.
    sealed_secret  text        NOT NULL,
    -- The last time step whose code was used (RFC 6238 §5.2): none at or before it counts again.
    last_used_step bigint      NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Null until a code has shown that the app has the secret.
    confirmed_at   timestamptz
  );

  CREATE TABLE identity.recovery_codes (
    user_id   uuid        NOT NULL REFERENCES identity.users,
    code_hash bytea       NOT NULL,
    used_at   timestamptz,
    PRIMARY KEY (user_id, code_hash)
  );

  CREATE TABLE identity.passkeys (
    credential_id text        PRIMARY KEY,
    user_id       uuid        NOT NULL REFERENCES identity.users,
    name          text        NOT NULL,
    public_key    bytea       NOT NULL,
    -- Grows with each use where the authenticator counts; a copy of it would count on its own.
    sign_count    bigint      NOT NULL,
    transports    text[]      NOT NULL,
    -- Whether it may be on several devices.
    is_synced     boolean     NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at  timestamptz
  );
  CREATE INDEX passkeys_by_user ON identity.passkeys (user_id);

  -- What an authenticator is to sign, once.
  CREATE TABLE identity.passkey_challenges (
    challenge_hash bytea       PRIMARY KEY,
    user_id        uuid        NOT NULL REFERENCES identity.users,
    purpose        text        NOT NULL,
    expires_at     timestamptz NOT NULL
  );
  CREATE INDEX passkey_challenges_by_expiry ON identity.passkey_challenges (expires_at);

  -- Codes that somebody has tried for a person. It is here and not in Redis, for losing it would
  -- open the door again.
  CREATE TABLE identity.second_factor_tries (
    user_id uuid        PRIMARY KEY REFERENCES identity.users,
    tries   integer     NOT NULL,
    ends_at timestamptz NOT NULL
  );
`;

const TABLE_NAMES = [
  'linked_accounts',
  'sign_ins',
  'used_states',
  'totp_factors',
  'recovery_codes',
  'passkeys',
  'passkey_challenges',
  'second_factor_tries',
];

// In a sign-in the tenant is not known yet; whoever is signed in changes their own within a tenant,
// in one transaction with the line in its audit log.
const RIGHTS = TABLE_NAMES.map(
  (table) => `
  GRANT SELECT, INSERT, UPDATE, DELETE ON identity.${table} TO identity, identity_sweep;`,
).join('\n');
