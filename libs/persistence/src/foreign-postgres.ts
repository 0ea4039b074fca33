import type { Socket } from 'node:net';
import type { Secret } from '@soma/kernel';
import pg from 'pg';

/** Somebody else's PostgreSQL, as a tenant connects it. */
export interface ForeignPostgres {
  /** An address that may be reached; a name would be looked up again. */
  address: string;
  port: number;
  user: string | undefined;
  password: Secret | undefined;
  database: string;
  /** Null: without encryption. Otherwise the name that the server's certificate must have. */
  tls: { servername: string } | null;
  timeoutMs: number;
  /** Not connected yet. It is for whoever asks to bound what comes through it. */
  socket: Socket;
}

/** Asks one question on a connection of its own. What PostgreSQL refuses comes with its SQLSTATE. */
export async function askForeignPostgres(server: ForeignPostgres, sql: string): Promise<unknown[]> {
  const { address, port, user, password, database, tls, timeoutMs, socket } = server;
  const client = new pg.Client({
    ...{ host: address, port, user, password: password?.reveal(), database },
    ...{ ssl: tls ?? false, stream: () => socket },
    ...{ connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs },
  });
  // A connection that breaks after the answer is nobody's concern any more.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<Record<string, unknown>>(sql);
    return rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}
