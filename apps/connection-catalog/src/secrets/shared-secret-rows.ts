import { GroupCommit, type TenantTransaction } from '@soma/persistence';
import type { SecretLocation, SecretRows } from '@soma/secrets';
import type { EntityManager } from 'typeorm';
import { StoredSecretRows, VERSIONS_KEPT } from './secret-rows.ts';

const LIMITS = { maxBatch: 250, maxParallel: 2, maxWaiting: 100_000 };

interface Wanted {
  location: SecretLocation;
  version: number | undefined;
}

interface Written {
  location: SecretLocation;
  seal: (version: number) => string;
}

interface FoundRow {
  version: number;
  sealed: string;
}

/**
 * The table of sealed secrets for those who come many at once, each with a secret of their own: what
 * arrives while a transaction is under way shares the next one. Tokens are refreshed so, by thousands.
 */
export class SharedSecretRows implements SecretRows {
  readonly #single: StoredSecretRows;
  readonly #finds: GroupCommit<Wanted, { row: FoundRow | undefined }>;
  readonly #inserts: GroupCommit<Written, number>;

  constructor(transaction: TenantTransaction) {
    this.#single = new StoredSecretRows((tenantId, work) => transaction.run(tenantId, work));
    this.#finds = new GroupCommit({
      ...LIMITS,
      commit: (items) => byTenant(transaction, items, findAll),
    });
    this.#inserts = new GroupCommit({
      ...LIMITS,
      // A repeat makes another version, and the one that nobody was told of is never read.
      commit: (items) => byTenant(transaction, items, insertAll),
    });
  }

  async find(location: SecretLocation, version?: number): Promise<FoundRow | undefined> {
    const { row } = await this.#finds.submit({ location, version });
    return row;
  }

  insert(location: SecretLocation, seal: (version: number) => string): Promise<number> {
    return this.#inserts.submit({ location, seal });
  }

  remove(location: SecretLocation): Promise<void> {
    return this.#single.remove(location);
  }
}

/**
 * Works for each tenant in one transaction, and answers in the order of the items. In the order of the
 * tenants, so that two batches wait for each other and never in a circle.
 */
async function byTenant<Item extends { location: SecretLocation }, Result>(
  transaction: TenantTransaction,
  items: readonly Item[],
  work: (manager: EntityManager, tenantId: string, items: readonly Item[]) => Promise<Result[]>,
): Promise<Result[]> {
  const groups = Map.groupBy(items, ({ location }) => location.tenantId);
  const results = new Map<Item, Result>();
  await transaction.runEach([...groups.keys()].sort(), async (manager, tenantId) => {
    const own = groups.get(tenantId) ?? [];
    for (const [index, result] of (await work(manager, tenantId, own)).entries()) {
      const item = own[index];
      if (item !== undefined) results.set(item, result);
    }
  });
  return items.flatMap((item) => results.get(item) ?? []);
}

async function findAll(
  manager: EntityManager,
  tenantId: string,
  items: readonly Wanted[],
): Promise<{ row: FoundRow | undefined }[]> {
  const rows = await manager.query<(FoundRow & { position: number })[]>(
    `SELECT wanted.position::int AS position, found.version, found.sealed
       FROM unnest($2::uuid[], $3::text[], $4::int[])
              WITH ORDINALITY AS wanted (connection_id, field, version, position),
            LATERAL (
              SELECT version, sealed FROM catalog.secrets
               WHERE tenant_id = $1 AND connection_id = wanted.connection_id
                 AND field = wanted.field
                 AND (wanted.version IS NULL OR version = wanted.version)
               ORDER BY version DESC LIMIT 1) AS found`,
    [tenantId, ...keysOf(items), items.map(({ version }) => version ?? null)],
  );
  const found = new Map(rows.map((row) => [row.position - 1, row]));
  return items.map((_item, index) => ({ row: found.get(index) }));
}

/** As `StoredSecretRows.insert` does it for one. A secret that comes twice in a batch comes by itself. */
async function insertAll(
  manager: EntityManager,
  tenantId: string,
  items: readonly Written[],
): Promise<number[]> {
  const keys = keysOf(items);
  const given = await takeVersions(manager, tenantId, items);
  await manager.query(
    `WITH given AS (
       SELECT * FROM unnest($2::uuid[], $3::text[], $4::int[], $5::text[])
                       AS given (connection_id, field, version, sealed)),
          forgotten AS (
       DELETE FROM catalog.secrets AS old USING given
        WHERE old.tenant_id = $1 AND old.connection_id = given.connection_id
          AND old.field = given.field AND old.version <= given.version - ${VERSIONS_KEPT})
     INSERT INTO catalog.secrets (tenant_id, connection_id, field, version, sealed)
     SELECT $1, connection_id, field, version, sealed FROM given`,
    [tenantId, ...keys, given, items.map(({ seal }, index) => seal(given[index] ?? 0))],
  );
  return given;
}

/** In the order of the keys, so that two batches wait for each other and never in a circle. */
async function takeVersions(
  manager: EntityManager,
  tenantId: string,
  items: readonly Written[],
): Promise<number[]> {
  const taken = await manager.query<
    { connection_id: string; field: string; last_version: number }[]
  >(
    `INSERT INTO catalog.secret_versions AS kept (tenant_id, connection_id, field, last_version)
     SELECT $1, connection_id, field, 1
       FROM unnest($2::uuid[], $3::text[]) AS wanted (connection_id, field) ORDER BY 2, 3
     ON CONFLICT (tenant_id, connection_id, field)
     DO UPDATE SET last_version = kept.last_version + 1
     RETURNING connection_id, field, last_version`,
    [tenantId, ...keysOf(items)],
  );
  const versions = new Map(
    taken.map((row) => [idOf(row.connection_id, row.field), row.last_version]),
  );
  return items.map(({ location }) => {
    const version = versions.get(idOf(location.connection, location.field));
    if (version === undefined) {
      throw new Error('PostgreSQL answered no version.');
    }
    return version;
  });
}

function keysOf(items: readonly { location: SecretLocation }[]): [string[], string[]] {
  return [
    items.map(({ location }) => location.connection),
    items.map(({ location }) => location.field),
  ];
}

function idOf(connection: string, field: string): string {
  return `${connection} ${field}`;
}
