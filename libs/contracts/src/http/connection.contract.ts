import { z } from 'zod';
import { timestamp } from '../identifiers.ts';
import { connectionHealth } from './connection-health.contract.ts';
import { pageLimit } from './page.ts';

/** What a tenant calls a connection. */
export const connectionName = z
  .string()
  .regex(/^[a-z0-9-]{1,128}$/, 'must be 1 to 128 of a-z, 0-9 and -');

const typeName = z.string().regex(/^[a-z0-9_]{1,64}$/, 'must be a type of GET …/connections/types');

/** More than an hour's worth a second is no limit. */
const rateLimit = z.int().min(1).max(1_000_000);

/** Body of `POST /api/v1/connections`. */
export const createConnectionRequest = z.strictObject({
  name: connectionName.refine((name) => name !== 'types', 'is the name of the list of types'),
  type: typeName,
  /** What the type asks for, secrets among them; `GET /api/v1/connections/types` describes it. */
  fields: z.record(z.string(), z.unknown()).default({}),
  /** Requests a minute. Null: as the type says. */
  rate_limit_rpm: rateLimit.nullable().default(null),
});
export type CreateConnectionRequest = z.output<typeof createConnectionRequest>;

/** Body of `PATCH /api/v1/connections/{name}`: what is absent stays, null is removed. */
export const updateConnectionRequest = z.strictObject({
  fields: z.record(z.string(), z.unknown()).optional(),
  rate_limit_rpm: rateLimit.nullable().optional(),
});
export type UpdateConnectionRequest = z.output<typeof updateConnectionRequest>;

/** What is known of a credential but its value. */
const credential = z.strictObject({
  is_set: z.boolean(),
  /** When it was set last; null where it is not. */
  changed_at: timestamp.nullable(),
});

/** Something that would break without the connection. */
const connectionUsage = z.strictObject({
  /** The kind of thing, such as `model_provider`. */
  used_by: z.string(),
  id: z.string(),
  since: timestamp,
});
export type ConnectionUsage = z.output<typeof connectionUsage>;

/** An account that the tenant has connected. No value of a credential is ever in it. */
export const connection = z.strictObject({
  name: connectionName,
  type: z.string(),
  /** What is not secret. */
  fields: z.record(z.string(), z.unknown()),
  /** Every secret field of the type. */
  credentials: z.record(z.string(), credential),
  rate_limit_rpm: rateLimit.nullable(),
  /** As it was when it was looked at last; see `GET …/health`. */
  health: connectionHealth,
  /** Grows with each change; what `If-Match` names. */
  version: z.int().min(1),
  created_by: z.string(),
  created_at: timestamp,
  updated_at: timestamp,
});
export type Connection = z.output<typeof connection>;

/** One connection, and what uses it. */
export const connectionDetails = connection.extend({ usages: z.array(connectionUsage) });
export type ConnectionDetails = z.output<typeof connectionDetails>;

/** Query of `GET /api/v1/connections`. */
export const connectionListQuery = z.strictObject({
  type: typeName.optional(),
  health: connectionHealth.optional(),
  /** Part of a name or of a type, whatever its case. */
  text: z.string().min(1).max(128).optional(),
  cursor: connectionName.optional(),
  limit: pageLimit,
});
export type ConnectionListQuery = z.output<typeof connectionListQuery>;

/** A page of the tenant's connections, by name. */
export const connectionList = z.strictObject({
  connections: z.array(connection),
  next_cursor: z.string().nullable(),
});
export type ConnectionList = z.output<typeof connectionList>;

/** Query of `DELETE /api/v1/connections/{name}`. */
export const deleteConnectionQuery = z.strictObject({
  /** Whether it goes even if something depends on it. */
  force: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
});
export type DeleteConnectionQuery = z.output<typeof deleteConnectionQuery>;

/** What can be connected, and what each kind asks for. */
export const connectionTypeList = z.strictObject({
  types: z.array(
    z.strictObject({
      type: z.string(),
      title: z.string(),
      description: z.string(),
      /** JSON Schema 2020-12 of `fields`. A property with `writeOnly` is a secret, one
       *  with `binds_credentials` says what the secrets are for. */
      schema: z.record(z.string(), z.unknown()),
      /** Requests a minute where a connection does not say otherwise. */
      default_rate_limit_rpm: z.int(),
      receives_webhooks: z.boolean(),
    }),
  ),
});
export type ConnectionTypeList = z.output<typeof connectionTypeList>;

/** The value of one credential, as it is revealed. */
export const revealedSecret = z.strictObject({ field: z.string(), value: z.string() });
export type RevealedSecret = z.output<typeof revealedSecret>;
