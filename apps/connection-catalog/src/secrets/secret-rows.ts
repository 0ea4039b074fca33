import type { SecretLocation, SecretRows } from '@soma/secrets';
import type { EntityManager } from 'typeorm';
import { findAll, type FoundSecret, insertAll } from './secret-statements.ts';

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
      const [version = 0] = await insertAll(manager, location.tenantId, [{ location, seal }]);
      return version;
    });
  }

  find(location: SecretLocation, version?: number): Promise<FoundSecret | undefined> {
    return this.run(location.tenantId, async (manager) => {
      const [found] = await findAll(manager, location.tenantId, [{ location, version }]);
      return found?.row;
    });
  }

  async remove({ tenantId, connection, field }: SecretLocation): Promise<void> {
    await this.run(tenantId, (manager) =>
      manager.query(
        `DELETE FROM catalog.secrets
          WHERE tenant_id = $1 AND connection_id = $2 AND field = $3`,
        [tenantId, connection, field],
      ),
    );
  }
}
