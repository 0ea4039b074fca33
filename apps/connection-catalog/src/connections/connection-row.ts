import type { Connection, ConnectionHealth } from '@soma/contracts';
import type { ConnectionType } from '../connection-types/connection-type.ts';
import { secretFieldsOf } from './connection-fields.ts';

/** Which version of a credential counts, and since when. */
export interface SetCredential {
  version: number;
  /** RFC 3339; null where no request has set it. */
  changed_at: string | null;
}

/** A row of `catalog.connections`. */
export interface ConnectionRow {
  connection_id: string;
  name: string;
  type: string;
  /** What is not secret. */
  fields: Record<string, unknown>;
  /** The credentials that are set. */
  credentials: Record<string, SetCredential>;
  rate_limit_rpm: number | null;
  health: ConnectionHealth;
  version: number;
  created_by: string;
  created_at: Date;
  updated_at: Date;
}

/** What everybody may see of a connection. */
export function toConnection(row: ConnectionRow, type: ConnectionType | undefined): Connection {
  const names = new Set([...(type ? secretFieldsOf(type) : []), ...Object.keys(row.credentials)]);
  const credentials = [...names].map((field) => {
    const set = row.credentials[field];
    return [field, { is_set: set !== undefined, changed_at: set?.changed_at ?? null }] as const;
  });
  return {
    name: row.name,
    type: row.type,
    fields: row.fields,
    credentials: Object.fromEntries(credentials),
    rate_limit_rpm: row.rate_limit_rpm,
    health: row.health,
    version: row.version,
    created_by: row.created_by,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}
