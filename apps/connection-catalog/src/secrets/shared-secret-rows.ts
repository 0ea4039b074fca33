import { GroupCommit, type TenantTransaction } from '@soma/persistence';
import type { SecretLocation, SecretRows } from '@soma/secrets';
import type { EntityManager } from 'typeorm';
import { StoredSecretRows } from './secret-rows.ts';
import {
  findAll,
  type FoundSecret,
  insertAll,
  type NewSecret,
  type WantedSecret,
} from './secret-statements.ts';

/** Each tenant of a batch is a turn to the database: nobody waits for those of many others. */
const FINDS = { maxBatch: 20, maxParallel: 4, maxWaiting: 100_000 };
const INSERTS = { maxBatch: 250, maxParallel: 2, maxWaiting: 100_000 };

/**
 * The table of sealed secrets for those who come many at once, each with a secret of their own: what
 * arrives while a transaction is under way shares the next one. Tokens are refreshed so, by thousands.
 */
export class SharedSecretRows implements SecretRows {
  readonly #single: StoredSecretRows;
  readonly #finds: GroupCommit<WantedSecret, { row: FoundSecret | undefined }>;
  readonly #inserts: GroupCommit<NewSecret, number>;

  constructor(transaction: TenantTransaction) {
    this.#single = new StoredSecretRows((tenantId, work) => transaction.run(tenantId, work));
    this.#finds = new GroupCommit({
      ...FINDS,
      commit: (items) => byTenant(transaction, items, findAll),
    });
    this.#inserts = new GroupCommit({
      ...INSERTS,
      // What comes twice in a batch fails it, and then comes by itself. A repeat makes another
      // version, and the one that nobody was told of is never read.
      commit: (items) => byTenant(transaction, items, insertAll),
    });
  }

  async find(location: SecretLocation, version?: number): Promise<FoundSecret | undefined> {
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
