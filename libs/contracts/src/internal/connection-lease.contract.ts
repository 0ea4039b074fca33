import { z } from 'zod';
import { connectionName } from '../http/connection.contract.ts';

/**
 * What a service wants a connection's credentials for. It gets those that are good for it, and no
 * others: what verifies webhooks is not what a tool signs in with.
 */
export const connectionPurpose = z.enum(['model_provider', 'tool', 'mcp_server', 'webhook']);
export type ConnectionPurpose = z.output<typeof connectionPurpose>;

/** Body of `POST /internal/v1/connections/resolve`; the tenant is that of the signed principal. */
export const resolveConnectionRequest = z.strictObject({
  name: connectionName,
  purpose: connectionPurpose,
});
export type ResolveConnectionRequest = z.output<typeof resolveConnectionRequest>;

/** Where a credential stands in a request. One whose field is not set stands nowhere. */
const credentialPlace = z.discriminatedUnion('in', [
  z.object({
    in: z.literal('header'),
    field: z.string(),
    /** The header, or the field that names it. */
    name: z.union([z.string(), z.object({ field: z.string() })]),
    /** Before the value, as in `Bearer `. */
    prefix: z.string().optional(),
  }),
  z.object({ in: z.literal('query'), field: z.string(), name: z.string() }),
  /** Before the path of every request, as in `/bot<token>`. */
  z.object({ in: z.literal('path'), field: z.string(), prefix: z.string() }),
  /** RFC 7617. Both are fields; the user's name may be a plain one, or there is none. */
  z.object({ in: z.literal('basic'), username: z.string().optional(), password: z.string() }),
]);
export type CredentialPlace = z.output<typeof credentialPlace>;

/** How to ask what a connection leads to, over HTTP. */
const connectionHttp = z.object({
  base_url: z.string(),
  /** Sent with every request, as the version of an API is. */
  headers: z.record(z.string(), z.string()),
  credentials: z.array(credentialPlace),
  /** Requests go to what lies below one of these, and nowhere else. */
  allowed_paths: z.array(z.string()),
});
export type ConnectionHttp = z.output<typeof connectionHttp>;

/** A connection as it is now, credentials included. It passes between services alone. */
export const connectionLease = z.object({
  connection_id: z.string(),
  name: z.string(),
  type: z.string(),
  fields: z.record(z.string(), z.unknown()),
  /** Values of credentials: make a `Secret` of each at once. */
  credentials: z.record(z.string(), z.string()),
  /** Null: it leads nowhere by HTTP. */
  http: connectionHttp.nullable(),
  /** Requests a minute. */
  rate_limit_rpm: z.int().positive(),
  version: z.int(),
  /** How many seconds it may be used. It ends earlier when `config.updates` names the connection. */
  expires_in: z.number().nonnegative(),
});
export type ConnectionLease = z.output<typeof connectionLease>;

/** Path of `/internal/v1/connections/{name}/usages/{used_by}/{id}`. */
export const connectionUsagePath = z.object({
  name: connectionName,
  used_by: z.string().regex(/^[a-z_]{1,64}$/),
  id: z.string().min(1).max(200),
});
export type ConnectionUsagePath = z.output<typeof connectionUsagePath>;
