import type { McpCatalogEntry } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import type { ConnectionRow } from '../connections/connection-row.ts';

/** A connection, as far as it decides whether an entry can be used with it. */
export type OfferedConnection = Pick<ConnectionRow, 'name' | 'type' | 'fields' | 'credentials'>;

/**
 * Refuses a connection that an entry cannot be used with, and an entry without the one it needs.
 *
 * @throws {@link Problem} 422 `connection_required`, `connection_not_used` or `connection_unfit`
 */
export function assertFits(
  entry: McpCatalogEntry,
  connection: OfferedConnection | undefined,
): void {
  if (connection === undefined) {
    if (entry.connections.length > 0) throw required(entry);
    return;
  }
  if (entry.connections.length === 0) {
    throw refusal(
      'connection_not_used',
      `${entry.name} needs no connection. Leave connection_name out.`,
    );
  }
  const fault = faultOf(entry, connection);
  if (fault !== undefined) {
    throw refusal('connection_unfit', `"${connection.name}" does not fit ${entry.name}: ${fault}`);
  }
}

function faultOf(entry: McpCatalogEntry, connection: OfferedConnection): string | undefined {
  const { type, fields, credentials } = connection;
  const accepted = entry.connections.find((each) => each.type === type);
  if (accepted === undefined) {
    return `it must be of type ${typesOf(entry)}, and is of type ${type}.`;
  }
  for (const [field, value] of Object.entries(accepted.requires)) {
    if (fields[field] !== value) return `its ${field} must be ${value}.`;
  }
  const missing = accepted.values.find(
    ({ field, is_optional }) => !is_optional && !(field in fields) && !(field in credentials),
  );
  // Whoever signs in at a provider gets a token later.
  return missing === undefined || missing.field === 'access_token'
    ? undefined
    : `its ${missing.field} is not set.`;
}

function required(entry: McpCatalogEntry): Problem {
  return refusal(
    'connection_required',
    `${entry.name} needs a connection of type ${typesOf(entry)}. Name one in connection_name.`,
  );
}

function typesOf({ connections }: McpCatalogEntry): string {
  return connections.map(({ type }) => type).join(' or ');
}

function refusal(code: string, detail: string): Problem {
  const fields = [{ path: 'connection_name', message: detail }];
  return new Problem({ status: 422, code, detail, fields });
}
