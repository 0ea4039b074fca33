import type { SecretLocation } from '@soma/secrets';
import type { EntityManager } from 'typeorm';

/** How many versions of a secret are kept. */
const VERSIONS_KEPT = 10;

/** A secret to be found; without its version, the newest. */
export interface WantedSecret {
  location: SecretLocation;
  version: number | undefined;
}

/** A secret to be stored, which is sealed for the version that it gets. */
export interface NewSecret {
  location: SecretLocation;
  seal: (version: number) => string;
}

/** A row of `catalog.secrets`. */
export interface FoundSecret {
  version: number;
  sealed: string;
}

/** Finds secrets of one tenant, in their order. */
export async function findAll(
  manager: EntityManager,
  tenantId: string,
  items: readonly WantedSecret[],
): Promise<{ row: FoundSecret | undefined }[]> {
  const rows = await manager.query<(FoundSecret & { position: number })[]>(
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

/**
 * Stores secrets of one tenant, and answers their versions, in their order. None may come twice: each
 * gets one version.
 */
export async function insertAll(
  manager: EntityManager,
  tenantId: string,
  items: readonly NewSecret[],
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

/**
 * Whoever takes one holds the secret to the commit, so that versions are committed in their order. They
 * are taken in the order of the keys, so that two batches wait for each other and never in a circle.
 */
async function takeVersions(
  manager: EntityManager,
  tenantId: string,
  items: readonly NewSecret[],
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
