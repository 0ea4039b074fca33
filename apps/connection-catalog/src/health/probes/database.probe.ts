import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { PinnedHost } from '@soma/http';
import type { Secret } from '@soma/kernel';
import { askForeignPostgres } from '@soma/persistence';
import { createConnection } from 'mysql2/promise';
import { Connection as SqlServerConnection, type ConnectionConfiguration, Request } from 'tedious';
import { z } from 'zod';
import { type Probe, ProbeFailure } from '../probe.ts';
import { boundedSocket, connectedSocket } from './bounded-socket.ts';

const LIMIT_MS = 10_000;
const QUESTION = 'SELECT 1';

/** The plain fields of the type `database`. */
const fieldsSchema = z.object({
  dialect: z.string(),
  host: z.string().optional(),
  port: z.int().optional(),
  username: z.string().optional(),
  database: z.string(),
  tls: z.boolean().default(true),
});

/** A database to be asked. */
interface Server extends PinnedHost {
  host: string;
  port: number;
  username: string | undefined;
  password: Secret | undefined;
  database: string;
  tls: boolean;
}

interface Dialect {
  port: number;
  ask: (server: Server, signal: AbortSignal) => Promise<void>;
}

/** A file of SQLite lies where tools run and not here. */
const DIALECTS: Record<string, Dialect> = {
  postgresql: { port: 5432, ask: askPostgres },
  mysql: { port: 3306, ask: askMysql },
  mariadb: { port: 3306, ask: askMysql },
  sqlserver: { port: 1433, ask: askSqlServer },
};

/** Asks for a row that is in no table. */
export const probeDatabase: Probe = async ({ fields, credentials }, { outbound, signal }) => {
  const { dialect: name, host, port, username, database, tls } = fieldsSchema.parse(fields);
  const dialect = DIALECTS[name];
  if (dialect === undefined || host === undefined) {
    return false;
  }
  const pinned = await outbound.resolveSafely(host);
  if (!tls && !pinned.isInternal) {
    // Outside of the operator's own network nobody shall read a password on its way.
    throw new ProbeFailure('tls_refused');
  }
  const password = credentials.get('password');
  const server = { ...pinned, host, username, password, database, tls };
  try {
    await dialect.ask({ ...server, port: port ?? dialect.port }, signal);
    return true;
  } catch (error) {
    throw failureOf(error);
  }
};

async function askPostgres(server: Server, signal: AbortSignal): Promise<void> {
  const { host, username: user, tls, servername = host } = server;
  const socket = boundedSocket(signal);
  const account = { ...server, user, tls: tls ? { servername } : null };
  await askForeignPostgres({ ...account, socket, timeoutMs: LIMIT_MS }, QUESTION);
}

async function askMysql(server: Server, signal: AbortSignal): Promise<void> {
  const { host, username: user, password, database, tls } = server;
  const socket = await connectedSocket(server, signal);
  try {
    const connection = await createConnection({
      ...{ host, database, connectTimeout: LIMIT_MS },
      ...(user !== undefined && { user }),
      ...(password && { password: password.reveal() }),
      // The name is for the certificate alone: the connection is there already.
      stream: socket,
      ...(tls && { ssl: { rejectUnauthorized: true, verifyIdentity: true } }),
    });
    await connection.query(QUESTION);
    await connection.end();
  } finally {
    socket.destroy();
  }
}

function askSqlServer(server: Server, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const connect = async (): Promise<Socket> => {
      const socket = await connectedSocket(server, signal);
      // The driver does not always notice that its connection has ended.
      return socket.once('error', settle);
    };
    const connection = new SqlServerConnection(sqlServerOptions(server, connect));
    const settle = (error?: Error | null): void => {
      connection.close();
      if (error) reject(error);
      else resolve();
    };
    signal.addEventListener('abort', () => {
      settle(new Error('The check has taken too long.'));
    });
    // The driver's types leave this event out.
    const events: EventEmitter = connection;
    events.on('rerouting', () => {
      // It sends us to another server, whose address nobody has looked at.
      settle(new ProbeFailure('unexpected_answer'));
    });
    connection.on('error', settle);
    connection.connect((error) => {
      if (error) settle(error);
      else connection.execSql(new Request(QUESTION, settle));
    });
  });
}

function sqlServerOptions(
  server: Server,
  connector: () => Promise<Socket>,
): ConnectionConfiguration {
  const { host, port, username, password, database, tls, servername = host } = server;
  return {
    // The name is said to the server alone: the driver itself connects to nothing.
    server: host,
    authentication: {
      type: 'default',
      options: { userName: username, password: password?.reveal() },
    },
    options: {
      ...{ port, database, encrypt: tls, trustServerCertificate: false, serverName: servername },
      ...{ connectTimeout: LIMIT_MS, requestTimeout: LIMIT_MS },
      connector,
    },
  };
}

/** SQLSTATE classes of PostgreSQL, error codes of MySQL and of SQL Server's driver. */
const REFUSED = new Set(['28P01', '28000', 'ER_ACCESS_DENIED_ERROR', 'ELOGIN']);
const NO_SUCH = new Set(['3D000', 'ER_BAD_DB_ERROR', 'ER_DBACCESS_DENIED_ERROR']);

function failureOf(error: unknown): unknown {
  const { code = '' } = error as { code?: string };
  if (REFUSED.has(code)) {
    return new ProbeFailure('credential_refused', error);
  }
  return NO_SUCH.has(code) ? new ProbeFailure('unexpected_answer', error) : error;
}
