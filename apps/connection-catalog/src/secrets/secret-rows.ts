import type { SecretLocation, SecretRows } from '@soma/secrets';
import type { EntityManager } from 'typeorm';

/** How many versions of a secret are kept. */
export const VERSIONS_KEPT = 10;

/** Runs work in the transaction of a tenant: in one of its own, or in the one that is open. */
export type RunInTenant = <Result>(
  tenantId: string,
  work: (manager: EntityManager) => Promise<Result>,
) => Promise<Result>;

/** The table of sealed secrets. */
export class StoredSecretRows implements SecretRows {
  constructor(private readonly run: RunInTenant) {}

  insert(location: SecretLocation, seal: (version: number) => string): Promise<number> {
    return this.run(location.tenantId, async (manager) => {
      const version = await nextVersion(manager, location);
      await manager.query(
        `INSERT INTO catalog.secrets (tenant_id, connection_id, field, version, sealed)
         VALUES ($1, $2, $3, $4, $5)`,
        [...toKey(location), version, seal(version)],
      );
      await manager.query(`DELETE FROM catalog.secrets WHERE ${IS_SECRET} AND version <= $4`, [
        ...toKey(location),
        version - VERSIONS_KEPT,
      ]);
      return version;
    });
  }

  find(
    location: SecretLocation,
    version?: number,
  ): Promise<{ version: number; sealed: string } | undefined> {
    return this.run(location.tenantId, async (manager) => {
      const [row] = await manager.query<{ version: number; sealed: string }[]>(
        `SELECT version, sealed FROM catalog.secrets
          WHERE ${IS_SECRET} AND ($4::int IS NULL OR version = $4) ORDER BY version DESC LIMIT 1`,
        [...toKey(location), version],
      );
      return row;
    });
  }

  async remove(location: SecretLocation): Promise<void> {
    await this.run(location.tenantId, (manager) =>
      manager.query(`DELETE FROM catalog.secrets WHERE ${IS_SECRET}`, toKey(location)),
    );
  }
}

const IS_SECRET = 'tenant_id = $1 AND connection_id = $2 AND field = $3';

function toKey({ tenantId, connection, field }: SecretLocation): string[] {
  return [tenantId, connection, field];
}

/** Whoever takes one holds the secret to the commit, so that versions are committed in their order. */
async function nextVersion(manager: EntityManager, location: SecretLocation): Promise<number> {
  const [row] = await manager.query<{ last_version: number }[]>(
    `INSERT INTO catalog.secret_versions AS kept (tenant_id, connection_id, field, last_version)
     VALUES ($1, $2, $3, 1)
     ON CONFLICT (tenant_id, connection_id, field)
     DO UPDATE SET last_version = kept.last_version + 1
     RETURNING last_version`,
    toKey(location),
  );
  if (row === undefined) {
    throw new Error('PostgreSQL answered no version.');
  }
  return row.last_version;
}
