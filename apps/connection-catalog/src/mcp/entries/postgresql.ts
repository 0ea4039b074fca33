import { mcpCatalogEntry } from '@soma/contracts';

/** The reference server for PostgreSQL is archived; this one is kept, by the makers of Bytebase. */
export const postgresql = mcpCatalogEntry.parse({
  entry_id: 'postgresql',
  name: 'PostgreSQL',
  description: 'Looks into a PostgreSQL database and runs SQL with the rights of its account.',
  keywords: ['database', 'sql', 'postgres'],
  transport: {
    type: 'stdio',
    package: {
      name: '@bytebase/dbhub',
      version: '1.4.0',
      integrity:
        'sha512-oZXG3m1gUzYr1zBkVUoT73ItMJsmliOpH5MT9iMUD2t0pbEXytdy8J6m3dOFyMaf5UEVNiKIHKzxylR3RYgf9A==',
      executable: 'dist/index.js',
    },
    arguments: ['--transport', 'stdio'],
    environment: { DB_TYPE: 'postgres' },
  },
  connections: [
    {
      type: 'database',
      requires: { dialect: 'postgresql' },
      description: 'The database. Give the account no more rights than its tools may use.',
      values: [
        { name: 'DB_HOST', field: 'host' },
        { name: 'DB_PORT', field: 'port', is_optional: true },
        { name: 'DB_USER', field: 'username' },
        { name: 'DB_PASSWORD', field: 'password' },
        { name: 'DB_NAME', field: 'database' },
        // The driver reads it: https://www.postgresql.org/docs/18/libpq-envars.html
        { name: 'PGSSLMODE', field: 'tls', mapping: { true: 'verify-full', false: 'disable' } },
      ],
    },
  ],
  tools: ['execute_sql', 'search_objects'],
  license: 'MIT',
  source_url: 'https://github.com/bytebase/dbhub',
});
