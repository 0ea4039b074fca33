import { databaseSettings, databaseUrl } from '@soma/persistence';
import { Client } from 'pg';
import { z } from 'zod';
import type { Probe } from './probe.ts';

const settings = z.object(databaseSettings);

/** Signs in and asks for a row. */
export const postgres: Probe<typeof settings> = {
  check: 'postgres',
  settings,
  ask: async (config) => {
    const client = new Client({ connectionString: databaseUrl(config).reveal() });
    // A connection that breaks after the answer is nothing to report.
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
      return { version: rows[0]?.server_version };
    } finally {
      await client.end();
    }
  },
};
