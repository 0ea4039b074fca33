import { Problem } from '@soma/kernel';
import { z } from 'zod';
import { oauthClient } from '../protocol/oauth-client.ts';
import { CONNECTION_CHANGED, type GrantState } from './grant-lifecycle.ts';

/** How a person, or nobody, is asked (RFC 6749 §4.1, §4.4; RFC 8628). */
export const grantType = z.enum(['authorization_code', 'device_code', 'client_credentials']);
export type GrantType = z.output<typeof grantType>;

const date = z.date().nullable();

/** A row of `catalog.oauth_grants`. */
export const grantRow = z.object({
  tenant_id: z.string(),
  connection_id: z.string(),
  grant_type: grantType,
  client: oauthClient,
  client_secret_version: z.int().nullable(),
  status: z.enum(['active', 'expired', 'revoked', 'reauthorization_required']),
  reason: z.string().nullable(),
  generation: z.int(),
  token_version: z.int(),
  is_renewable: z.boolean(),
  scope: z.string().nullable(),
  expires_at: date,
  due_at: date,
  sent_at: date,
  failures: z.int(),
  leased_until: date,
  attempt: z.int(),
  authorized_by: z.string(),
  authorized_at: z.date(),
  renewed_at: date,
  told_at: date,
});
export type GrantRow = z.output<typeof grantRow>;

/**
 * Of a row: whether its tokens may not go. While the provider does not know of a revocation, they are
 * kept to tell it again.
 */
export const NEEDS_TOKENS = `(reason IS DISTINCT FROM '${CONNECTION_CHANGED}'
  AND (status <> 'revoked'
       OR (told_at IS NULL AND client ->> 'revocation_endpoint' IS NOT NULL)))`;

/**
 * How long a process may take with one grant before another one takes it over: longer than a provider
 * may take to answer.
 */
export const LEASE_MS = 20_000;

/** A grant that this process holds: nobody else renews it until the lease ends. */
export interface HeldGrant {
  row: GrantRow;
  /** By `performance.now()`, just before the lease began. */
  claimedAt: number;
  /** As it was before this try: `sentAt` says whether an earlier answer was lost. */
  state: GrantState;
}

/** What of a row decides what becomes of it. */
export function stateOf(row: GrantRow): GrantState {
  return {
    status: row.status,
    reason: row.reason,
    generation: row.generation,
    isRenewable: row.is_renewable,
    expiresAt: row.expires_at,
    dueAt: row.due_at,
    sentAt: row.sent_at,
    failures: row.failures,
  };
}

/** Nobody has ever authorised the connection. */
export function notAuthorized(): Problem {
  return new Problem({
    status: 409,
    code: 'connection_not_authorized',
    detail: 'Nobody has authorised this connection yet. Start with POST /api/v1/oauth/initiate.',
  });
}
