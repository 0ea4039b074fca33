import type { McpInstallation } from '@soma/contracts';
import { catalogEntries } from './catalog-entries.ts';
import { faultOf } from './fitting-connection.ts';
import type { InstallationRow } from './mcp-installations.ts';

/** A row as partners see it. */
export function toInstallation(row: InstallationRow): McpInstallation {
  return {
    catalog_entry_id: row.entry_id,
    connection_name: row.connection?.name ?? null,
    status: statusOf(row),
    installed_by: row.installed_by,
    installed_at: row.installed_at.toISOString(),
  };
}

function statusOf({ entry_id, connection }: InstallationRow): McpInstallation['status'] {
  const entry = catalogEntries.find((each) => each.entry_id === entry_id);
  if (entry === undefined) {
    return 'entry_missing';
  }
  if (connection === null) {
    return entry.connections.length > 0 ? 'connection_missing' : 'ready';
  }
  return faultOf(entry, connection) === undefined ? 'ready' : 'connection_unfit';
}
