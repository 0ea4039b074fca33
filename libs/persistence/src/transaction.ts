import type { DataSource, EntityManager } from 'typeorm';

/**
 * A statement whose result nobody waits for: it goes out at once, and what comes after it, the commit
 * too, does not wait for its answer. When it fails, so does the transaction.
 */
export type Write = (sql: string, values: unknown[]) => void;

/**
 * Runs work in a transaction that begins with the given statements. On the way of a message each round
 * trip counts, so the first statement of the work goes out behind them, and the commit behind the
 * last: PostgreSQL runs them one after the other, and none after one that failed.
 *
 * @param begin - SQL without parameters, such as `SET LOCAL` of a quoted value.
 */
export async function runTransaction<Result>(
  dataSource: DataSource,
  begin: string,
  work: (manager: EntityManager, write: Write) => Promise<Result>,
): Promise<Result> {
  const runner = dataSource.createQueryRunner();
  const sent: Promise<unknown>[] = [];
  const send = (sql: string, values?: unknown[]): void => {
    const answer = runner.query(sql, values);
    // It is awaited below; until then a failure is not unhandled.
    answer.catch(() => undefined);
    sent.push(answer);
  };
  await runner.connect();
  try {
    send(`START TRANSACTION; ${begin}`);
    const result = await work(runner.manager, send);
    send('COMMIT');
    await Promise.all(sent);
    return result;
  } catch (error) {
    // TypeORM lets go of a connection that has ended, and calls a statement that comes after it misuse.
    if (runner.isReleased) {
      throw new Error('The connection to the database was lost.', { cause: error });
    }
    // Where this fails too, the connection is gone, and the transaction with it.
    await runner.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    await runner.release();
  }
}
