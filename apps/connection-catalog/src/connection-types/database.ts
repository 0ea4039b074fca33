import { z } from 'zod';
import {
  bindingField,
  type ConnectionType,
  type FieldFault,
  type FieldValues,
  hostField,
  portField,
  secretField,
  textField,
} from './connection-type.ts';

const dialect = z
  .enum(['postgresql', 'mysql', 'mariadb', 'sqlite', 'sqlserver'])
  .meta({ description: 'What the database is.' });

/** A relational database. */
export const database: ConnectionType = {
  name: 'database',
  title: 'Database',
  description: 'PostgreSQL, MySQL, MariaDB, SQL Server, or a file of SQLite.',
  fields: z.strictObject({
    dialect: bindingField(dialect),
    host: hostField('The server. Every dialect but sqlite needs it.').optional(),
    port: portField("The server's port. Default: the dialect's own.").optional(),
    username: textField('The account.').optional(),
    password: secretField('Its password.').optional(),
    database: textField('The name of the database; for sqlite its file.'),
    tls: bindingField(
      z.boolean().meta({
        description: 'Whether the connection is encrypted and the server must be proven.',
      }),
    ).default(true),
  }),
  check: checkServer,
};

function checkServer({ dialect: kind, host, port }: FieldValues): FieldFault[] {
  if (kind !== 'sqlite') {
    return host === undefined ? [{ field: 'host', message: 'must be set for this dialect' }] : [];
  }
  return Object.entries({ host, port })
    .filter(([, value]) => value !== undefined)
    .map(([field]) => ({ field, message: 'is not of a file' }));
}
