import { QueryFailedError } from 'typeorm';

/**
 * SQLSTATE classes that tell of the server and not of the statement: connection, transaction
 * rollback (deadlock, serialisation), resources, operator intervention, system error.
 * https://www.postgresql.org/docs/18/errcodes-appendix.html
 */
const SERVER_FAULT_CLASSES = new Set(['08', '40', '53', '57', '58']);

/**
 * Whether a failure is the database's or the connection's, so that the same statement may work
 * later. A cut connection leaves open whether a COMMIT took effect.
 */
export function isDatabaseFault(error: unknown): boolean {
  // Not `instanceof`: the error of a socket may come from another realm, as it does in tests.
  const message = (error as { message?: unknown } | null | undefined)?.message;
  if (typeof message !== 'string') {
    return false;
  }
  const { code } = (error instanceof QueryFailedError ? error.driverError : error) as {
    code?: unknown;
  };
  if (typeof code !== 'string') {
    // The pg driver gives neither class nor code to a connection that it lost or could not get.
    return /connection|timeout|Client was closed|not queryable/i.test(message);
  }
  return SERVER_FAULT_CLASSES.has(code.slice(0, 2)) || /^E[A-Z]+$/.test(code);
}
