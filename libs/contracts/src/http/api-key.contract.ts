import { z } from 'zod';
import { accessScope } from '../access/scopes.ts';
import { timestamp } from '../identifiers.ts';
import { pageLimit } from './page.ts';

const DAY_SECONDS = 24 * 60 * 60;

const scopes = z.array(accessScope).min(1);

/** Body of `POST /v1/api-keys`. */
export const createApiKeyRequest = z.strictObject({
  name: z.string().min(1).max(200),
  /** None may go beyond what the caller's own credential is good for. */
  scopes,
  /** Whom the key speaks for. Without it, a new service account of the key's name. */
  service_account_id: z.uuid().optional(),
  /** From when the key is void. Null: it does not end by itself. */
  expires_at: timestamp.nullable().default(null),
});
export type CreateApiKeyRequest = z.output<typeof createApiKeyRequest>;

/** Body of `POST /v1/api-keys/{id}/rotate`. */
export const rotateApiKeyRequest = z.strictObject({
  /** How long the replaced key stays good. 0: it is void at once. */
  overlap_seconds: z
    .int()
    .min(0)
    .max(7 * DAY_SECONDS)
    .default(DAY_SECONDS),
});
export type RotateApiKeyRequest = z.output<typeof rotateApiKeyRequest>;

/** What is known of a key. The key itself is shown once and never again. */
export const apiKey = z.strictObject({
  key_id: z.uuid(),
  name: z.string(),
  /** The subject of the tokens that the key is exchanged for. */
  service_account_id: z.uuid(),
  scopes,
  created_by: z.string(),
  created_at: timestamp,
  expires_at: timestamp.nullable(),
  revoked_at: timestamp.nullable(),
  /** To the minute. */
  last_used_at: timestamp.nullable(),
  /** The key that this one replaces. */
  rotated_from: z.uuid().nullable(),
});
export type ApiKey = z.output<typeof apiKey>;

/** The answer that shows a key, this once. */
export const createdApiKey = apiKey.extend({
  /** `sk_<key_id>_<secret>`. */
  key: z.string(),
});
export type CreatedApiKey = z.output<typeof createdApiKey>;

/** Query of `GET /v1/api-keys`. */
export const apiKeyListQuery = z.strictObject({ cursor: z.uuid().optional(), limit: pageLimit });
export type ApiKeyListQuery = z.output<typeof apiKeyListQuery>;

/** A page of the tenant's keys, the oldest first. */
export const apiKeyList = z.strictObject({
  api_keys: z.array(apiKey),
  next_cursor: z.string().nullable(),
});
export type ApiKeyList = z.output<typeof apiKeyList>;
