import { z } from 'zod';
import { timestamp } from '../identifiers.ts';

/** How a connection is. `not_applicable`: there is nothing to ask that costs and changes nothing. */
export const connectionHealth = z.enum([
  'unknown',
  'healthy',
  'degraded',
  'unhealthy',
  'not_applicable',
]);
export type ConnectionHealth = z.output<typeof connectionHealth>;

/** Why a check failed. */
const healthReason = z.enum([
  /** Nobody answers there. */
  'unreachable',
  /** Nobody answered in time. */
  'timeout',
  /** It is not on the public internet, and the operator does not allow it. */
  'address_refused',
  /** It cannot prove who it is, or does not encrypt. */
  'tls_refused',
  /** The other side does not accept the credential. */
  'credential_refused',
  /** What answered is not what the connection's type says. */
  'unexpected_answer',
  /** Its credential cannot be read from where it is kept. */
  'credential_unavailable',
]);
export type HealthReason = z.output<typeof healthReason>;

const check = z.strictObject({
  checked_at: timestamp,
  latency_ms: z.int(),
  /** Null: it succeeded. */
  reason: healthReason.nullable(),
});

/** Answer of `GET /api/v1/connections/{name}/health`: the check just made, and those before. */
export const connectionHealthReport = z.strictObject({
  connection: z.string(),
  health: connectionHealth,
  /** Failures since the last success. */
  failures: z.int(),
  /** Null: the last check succeeded. */
  reason: healthReason.nullable(),
  /** The reason in a sentence. */
  detail: z.string().nullable(),
  latency_ms: z.int().nullable(),
  checked_at: timestamp.nullable(),
  /** Since when it is as it is. */
  changed_at: timestamp.nullable(),
  /** How the authorisation at its provider stands; null where it needs none or has none. */
  token: z
    .strictObject({
      status: z.string(),
      /** Why it does not hold, by the provider's own code. */
      reason: z.string().nullable(),
      expires_at: timestamp.nullable(),
    })
    .nullable(),
  /** Newest first. */
  history: z.array(check),
});
export type ConnectionHealthReport = z.output<typeof connectionHealthReport>;
