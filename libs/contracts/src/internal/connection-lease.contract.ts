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

/** A connection as it is now, credentials included. It passes between services alone. */
export const connectionLease = z.object({
  connection_id: z.string(),
  name: z.string(),
  type: z.string(),
  fields: z.record(z.string(), z.unknown()),
  /** Values of credentials: make a `Secret` of each at once. */
  credentials: z.record(z.string(), z.string()),
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
