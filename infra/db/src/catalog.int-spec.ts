import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { createTestDatabase, type TestDatabase } from '@soma/testing';
import { migrate } from '../migrate.ts';

/** Tables without any tenant's data, and why. Every other one has `tenant_id` and is guarded. */
const WITHOUT_TENANT = {
  'catalog.tunnel_leases': 'the one tunnel to the whole service',
  'conversation.workers': 'leases of processes',
  'identity.key_rotations': 'wishes for a new signing key',
  'identity.linked_accounts': 'how people sign in',
  'identity.oidc_records': 'found before it is known whose they are',
  'identity.passkey_challenges': 'what authenticators of people are to sign',
  'identity.passkeys': 'second factors of people',
  'identity.recovery_codes': 'what stands in for them',
  'identity.second_factor_tries': 'how often a person was tried for',
  'identity.sign_ins': 'sign-ins before it is known who it is',
  'identity.signing_keys': 'keys that sign the tokens of all tenants',
  'identity.totp_factors': 'second factors of people',
  'identity.used_states': 'states of sign-ins',
  'identity.users': 'people, who may be members of several tenants',
};

/** The login role of each app, and the schemas that it may use. */
const APP_ROLES = {
  connection_catalog: ['catalog'],
  conversation_worker: ['conversation'],
  gateway: ['conversation'],
  identity: ['audit', 'identity'],
};

/** The roles of work over all tenants, which the app of the name may take by SET ROLE. */
const SWEEP_ROLES = {
  connection_catalog_sweep: ['catalog'],
  conversation_worker_sweep: ['conversation'],
  gateway_sweep: ['conversation'],
  identity_sweep: ['audit', 'identity'],
};

/** Whatever lets a role see more than one tenant. Think twice before you add to it. */
const SWEEP_POLICIES = [
  'audit.chain_heads daily_export SELECT {identity_sweep}',
  'audit.exported_heads daily_export ALL {identity_sweep}',
  'catalog.audit_outbox relay ALL {connection_catalog_sweep}',
  'catalog.config_updates relay_mark UPDATE {connection_catalog_sweep}',
  'catalog.config_updates relay_read SELECT {connection_catalog_sweep}',
  'catalog.connections probing_mark UPDATE {connection_catalog_sweep}',
  'catalog.connections probing_read SELECT {connection_catalog_sweep}',
  'catalog.credentials_to_forget sweep SELECT {connection_catalog_sweep}',
  'catalog.idempotency_keys retention ALL {connection_catalog_sweep}',
  'catalog.oauth_flows sweep ALL {connection_catalog_sweep}',
  'catalog.oauth_grants renewal_lease UPDATE {connection_catalog_sweep}',
  'catalog.oauth_grants renewal_read SELECT {connection_catalog_sweep}',
  'catalog.oauth_pauses sweep ALL {connection_catalog_sweep}',
  'catalog.secrets rotation_read SELECT {connection_catalog_sweep}',
  'catalog.secrets rotation_write UPDATE {connection_catalog_sweep}',
  'conversation.audit_outbox relay ALL {gateway_sweep}',
  'conversation.erased_sessions restored SELECT {gateway_sweep}',
  'conversation.idempotency_keys retention ALL {gateway_sweep}',
  'conversation.open_calls overdue SELECT {conversation_worker_sweep}',
  'conversation.session_events relay_mark UPDATE {conversation_worker_sweep,gateway_sweep}',
  'conversation.session_events relay_read SELECT {conversation_worker_sweep,gateway_sweep}',
  'conversation.sessions stream_heads SELECT {gateway_sweep}',
  'conversation.stream_tickets retention ALL {gateway_sweep}',
  'conversation.tenants_served fairness ALL {conversation_worker_sweep}',
  'conversation.turns claims SELECT {conversation_worker_sweep}',
  'identity.api_keys exchange SELECT {identity_sweep}',
  'identity.api_keys use UPDATE {identity_sweep}',
  'identity.config_updates relay_mark UPDATE {identity_sweep}',
  'identity.config_updates relay_read SELECT {identity_sweep}',
  'identity.config_updates retention DELETE {identity_sweep}',
  'identity.idempotency_keys retention ALL {identity_sweep}',
  'identity.invitations redemption SELECT {identity_sweep}',
  'identity.members memberships SELECT {identity_sweep}',
  'identity.relationship_changes applying ALL {identity_sweep}',
];

const ROLES: Record<string, string[]> = { ...APP_ROLES, ...SWEEP_ROLES };

const TENANT_GUARD = "(tenant_id = current_setting('app.current_tenant'::text))";

/** Every schema but the database's own, and `public`, which holds the list of migrations alone. */
const OURS = `nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')`;

describe('the migrated database', () => {
  const running = new AsyncDisposableStack();
  let database: TestDatabase;

  beforeAll(async () => {
    database = running.use(await createTestDatabase());
    await migrate(new Secret(database.ownerUrl));
  });

  afterAll(() => running.disposeAsync());

  /** The one column of every row. */
  async function list(sql: string, values: unknown[] = []): Promise<unknown[]> {
    const rows = await database.execute(sql, values);
    return rows.flatMap((row) => Object.values(row));
  }

  it('names the tenant in every table that is not exempt', async () => {
    const tables = await list(
      `SELECT nspname || '.' || relname FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid
        WHERE ${OURS} AND relkind IN ('r', 'p') AND NOT EXISTS (
          SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'tenant_id' AND attnotnull)
        ORDER BY 1`,
    );

    expect(tables).toEqual(Object.keys(WITHOUT_TENANT));
  });

  it('forces row-level security on every table with tenant data (P6)', async () => {
    const tables = await database.execute(
      `SELECT nspname || '.' || relname AS name, relrowsecurity AS enabled, relforcerowsecurity AS forced
         FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid
        WHERE ${OURS} AND relkind IN ('r', 'p') AND nspname || '.' || relname <> ALL ($1)`,
      [Object.keys(WITHOUT_TENANT)],
    );

    expect(tables.length).toBeGreaterThan(0);
    expect(tables.filter(({ enabled, forced }) => enabled !== true || forced !== true)).toEqual([]);
  });

  it('lets an app see the rows of one tenant, wherever it has rights (P6)', async () => {
    const unguarded = await list(
      `SELECT DISTINCT relname || ' for ' || grantee::regrole
         FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid
              CROSS JOIN aclexplode(relacl)
        WHERE ${OURS} AND grantee::regrole::text = ANY ($1)
          AND nspname || '.' || relname <> ALL ($2)
          AND NOT EXISTS (
            SELECT FROM pg_policies AS policy
             WHERE policy.schemaname = nspname AND policy.tablename = relname
               AND cmd = 'ALL' AND permissive = 'PERMISSIVE'
               AND qual = $3 AND coalesce(with_check, $3) = $3
               AND grantee::regrole::text = ANY (roles))`,
      [Object.keys(APP_ROLES), Object.keys(WITHOUT_TENANT), TENANT_GUARD],
    );

    expect(unguarded).toEqual([]);
  });

  it('has no policies over all tenants but these (P6)', async () => {
    const policies = await list(
      `SELECT concat_ws(' ', schemaname || '.' || tablename, policyname, cmd,
                        (SELECT array_agg(role ORDER BY role)::text FROM unnest(roles) AS role))
         FROM pg_policies
        WHERE NOT (qual = $1 AND coalesce(with_check, $1) = $1 AND roles::text[] <@ $2)
        ORDER BY 1`,
      [TENANT_GUARD, Object.keys(APP_ROLES)],
    );

    expect(policies).toEqual(SWEEP_POLICIES);
  });

  it('gives rights to the roles of its apps alone, each in its own schema (P6)', async () => {
    const granted = await list(
      `WITH entry AS (
         SELECT nspname, aclexplode(nspacl) AS acl FROM pg_namespace WHERE ${OURS}
         UNION ALL
         SELECT nspname, aclexplode(relacl)
           FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid WHERE ${OURS}
         UNION ALL
         SELECT nspname, aclexplode(attacl)
           FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid
                JOIN pg_namespace ON relnamespace = pg_namespace.oid WHERE ${OURS}
       )
       SELECT DISTINCT (acl).grantee::regrole || ' in ' || nspname FROM entry
        WHERE (acl).grantee <> 'postgres'::regrole ORDER BY 1`,
    );

    // "-" would be everybody.
    expect(granted).toEqual(
      Object.entries(ROLES)
        .flatMap(([role, schemas]) => schemas.map((schema) => `${role} in ${schema}`))
        .sort(),
    );
  });

  it('gives its roles no power over the server', async () => {
    const powerful = await list(
      `SELECT rolname FROM pg_roles WHERE rolname = ANY ($1)
          AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)`,
      [Object.keys(ROLES)],
    );
    const owned = await list(
      `SELECT refobjid::regrole || ' owns ' || pg_describe_object(classid, objid, objsubid)
         FROM pg_shdepend WHERE deptype = 'o' AND refobjid::regrole::text = ANY ($1)`,
      [Object.keys(ROLES)],
    );
    const memberships = await list(
      `SELECT concat_ws(' ', member::regrole, roleid::regrole, inherit_option, set_option, admin_option)
         FROM pg_auth_members WHERE member::regrole::text = ANY ($1) ORDER BY 1`,
      [Object.keys(ROLES)],
    );

    expect([powerful, owned]).toEqual([[], []]);
    expect(memberships).toEqual(
      Object.keys(SWEEP_ROLES).map((role) => `${role.replace('_sweep', '')} ${role} f t f`),
    );
  });

  it('is changed in nothing by migrating again', async () => {
    const before = await list(SNAPSHOT);
    await migrate(new Secret(database.ownerUrl));

    expect(before.length).toBeGreaterThan(50);
    expect(await list(SNAPSHOT)).toEqual(before);
  });
});

/** All that a migration can make, with its identity: what is made anew has another oid. */
const SNAPSHOT = `
  SELECT to_json(each)::text FROM pg_class AS each WHERE relnamespace IN (
    SELECT oid FROM pg_namespace WHERE ${OURS} OR nspname = 'public')
  UNION ALL
  SELECT to_json(each)::text FROM pg_attribute AS each WHERE attrelid IN (
    SELECT pg_class.oid FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid
     WHERE ${OURS})
  UNION ALL
  SELECT to_json(each)::text FROM pg_policy AS each
  UNION ALL
  SELECT to_json(each)::text FROM pg_constraint AS each WHERE connamespace IN (
    SELECT oid FROM pg_namespace WHERE ${OURS})
  UNION ALL
  SELECT to_json(each)::text FROM public.migrations AS each
  ORDER BY 1`;
