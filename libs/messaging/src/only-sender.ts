import type { EntityManager } from 'typeorm';

/**
 * Whether this process alone sends what lies in the table. It ends with the transaction, also when
 * the process dies.
 */
export async function isOnlySender(manager: EntityManager, table: string): Promise<boolean> {
  const [answer] = await manager.query<{ locked: boolean }[]>(
    `SELECT pg_try_advisory_xact_lock(hashtext($1)) AS locked`,
    [table],
  );
  return answer?.locked === true;
}
