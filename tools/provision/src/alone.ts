import type { Secret } from '@soma/kernel';
import { openDataSource } from '@soma/persistence';

/** Any number that nothing else locks. */
const PROVISION_LOCK = 7_305_521;

/** Acts under a lock of the database: two that migrate at once would make the same tables. */
export async function alone<Result>(database: Secret, act: () => Promise<Result>): Promise<Result> {
  const locking = await openDataSource({ url: database, poolSize: 1 });
  try {
    return await locking.transaction(async (manager) => {
      await manager.query('SELECT pg_advisory_xact_lock($1)', [PROVISION_LOCK]);
      return act();
    });
  } finally {
    await locking.destroy();
  }
}
