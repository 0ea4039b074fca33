import type { McpCatalogEntry } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import type { ConnectionRow } from '../connections/connection-row.ts';

/** A connection, as far as it decides whether an entry can be used with it. */
export type OfferedConnection = Pick<ConnectionRow, 'name' | 'type' | 'fields' | 'credentials'>;

type AcceptedType = McpCatalogEntry['connections'][number];

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

/** Why an entry that needs a connection cannot be used with this one; undefined where it can. */
export function faultOf(entry: McpCatalogEntry, connection: OfferedConnection): string | undefined {
  const accepted = entry.connections.find((each) => each.type === connection.type);
  if (accepted === undefined) {
    return `it must be of type ${typesOf(entry)}, and is of type ${connection.type}.`;
  }
  return (
    requirementFault(accepted, connection) ??
    hostFault(accepted, connection) ??
    missingFault(accepted, connection)
  );
}

function requirementFault(
  { requires }: AcceptedType,
  { fields }: OfferedConnection,
): string | undefined {
  const unmet = Object.entries(requires).find(([field, value]) => fields[field] !== value);
  return unmet && `its ${unmet[0]} must be ${unmet[1]}.`;
}

/** A token goes to nobody but whom it was made by, whatever the connection is called. */
function hostFault(
  { token_hosts: hosts }: AcceptedType,
  { fields }: OfferedConnection,
): string | undefined {
  const { token_url, issuer } = fields;
  const host = URL.parse(String(token_url ?? issuer))?.host ?? '';
  return hosts.length === 0 || hosts.includes(host)
    ? undefined
    : `its tokens must be made at ${hosts.join(' or ')}.`;
}

function missingFault(
  { values }: AcceptedType,
  { fields, credentials }: OfferedConnection,
): string | undefined {
  const missing = values.find(
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
