import { mcpCatalogEntry } from '@soma/contracts';

/** The reference server for SQLite is archived; this one is the same as that for PostgreSQL. */
export const sqlite = mcpCatalogEntry.parse({
  entry_id: 'sqlite',
  name: 'SQLite',
  description: 'Looks into a SQLite database in the workspace and runs SQL on it.',
  keywords: ['database', 'sql', 'file'],
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
    environment: {},
  },
  connections: [
    {
      type: 'database',
      requires: { dialect: 'sqlite' },
      description: 'The file, named from the workspace, as in "books.db".',
      values: [{ name: 'DSN', field: 'database', prefix: 'sqlite://{workspace}/' }],
    },
  ],
  tools: ['execute_sql', 'search_objects'],
  license: 'MIT',
  source_url: 'https://github.com/bytebase/dbhub',
});
