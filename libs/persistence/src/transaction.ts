import type { DataSource, EntityManager } from 'typeorm';

/**
 * Runs work in a transaction that begins with the given statements, in one round trip: on the way of
 * a message each one counts.
 *
 * @param begin - SQL without parameters, such as `SET LOCAL` of a quoted value.
 */
export async function runTransaction<Result>(
  dataSource: DataSource,
  begin: string,
  work: (manager: EntityManager) => Promise<Result>,
): Promise<Result> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.query(`START TRANSACTION; ${begin}`);
    const result = await work(runner.manager);
    await runner.query('COMMIT');
    return result;
  } catch (error) {
    // Where this fails too, the connection is gone, and the transaction with it.
    await runner.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    await runner.release();
  }
}
