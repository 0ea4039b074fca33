import { GroupCommit, type TenantTransaction } from '@soma/persistence';
import type { SecretLocation, SecretRows } from '@soma/secrets';
import { StoredSecretRows } from './secret-rows.ts';
import { findAll, type FoundSecret, type WantedSecret } from './secret-statements.ts';

/** Each tenant of a batch is a turn to the database: nobody waits for those of many others. */
const FINDS = { maxBatch: 20, maxParallel: 4, maxWaiting: 100_000 };

/**
 * The table of sealed secrets for those who look for many at once, each for one: what arrives while a
 * transaction is under way shares the next one. Tokens are refreshed so, by thousands.
 */
export class SharedSecretRows implements SecretRows {
  readonly #single: StoredSecretRows;
  readonly #finds: GroupCommit<WantedSecret, { row: FoundSecret | undefined }>;

  constructor(transaction: TenantTransaction) {
    this.#single = new StoredSecretRows((tenantId, work) => transaction.run(tenantId, work));
    this.#finds = new GroupCommit({
      ...FINDS,
      commit: (items) => findEach(transaction, items),
    });
  }

  async find(location: SecretLocation, version?: number): Promise<FoundSecret | undefined> {
    const { row } = await this.#finds.submit({ location, version });
    return row;
  }

  insert(location: SecretLocation, seal: (version: number) => string): Promise<number> {
    return this.#single.insert(location, seal);
  }

  remove(location: SecretLocation): Promise<void> {
    return this.#single.remove(location);
  }
}

/** Finds the secrets of each tenant in turn, in one transaction, and answers in the order of the items. */
async function findEach(
  transaction: TenantTransaction,
  items: readonly WantedSecret[],
): Promise<{ row: FoundSecret | undefined }[]> {
  const groups = Map.groupBy(items, ({ location }) => location.tenantId);
  const found = new Map<WantedSecret, { row: FoundSecret | undefined }>();
  await transaction.runEach([...groups.keys()], async (manager, tenantId) => {
    const own = groups.get(tenantId) ?? [];
    for (const [index, each] of (await findAll(manager, tenantId, own)).entries()) {
      const item = own[index];
      if (item !== undefined) found.set(item, each);
    }
  });
  return items.flatMap((item) => found.get(item) ?? []);
}
