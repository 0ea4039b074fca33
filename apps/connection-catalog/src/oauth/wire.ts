import { connectionName, timestamp } from '@soma/contracts';
import { z } from 'zod';
import { grantType } from './grants/grant.ts';

/** The body of `POST /api/v1/oauth/initiate`. */
export const initiateRequest = z.strictObject({
  connection_name: connectionName,
  grant_type: grantType.default('authorization_code').meta({
    description:
      '`authorization_code` sends a browser to the provider, `device_code` shows a code to enter on ' +
      'another device, `client_credentials` asks nobody.',
  }),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'must be a scope (RFC 6749 §3.3)'))
    .max(100)
    .optional()
    .meta({ description: 'In place of those that the connection names.' }),
});
export type InitiateRequest = z.output<typeof initiateRequest>;

/** What somebody has to do next. */
export const initiateAnswer = z.discriminatedUnion('grant_type', [
  z.object({
    grant_type: z.literal('authorization_code'),
    connection_name: connectionName,
    authorization_url: z.url().meta({
      description: 'Where the browser that sent this request, and has its cookie, is to go.',
    }),
    expires_at: timestamp,
  }),
  z.object({
    grant_type: z.literal('device_code'),
    connection_name: connectionName,
    user_code: z.string(),
    verification_uri: z.string(),
    verification_uri_complete: z.string().nullable(),
    interval_seconds: z.number(),
    expires_at: timestamp,
  }),
  z.object({
    grant_type: z.literal('client_credentials'),
    connection_name: connectionName,
    status: z.literal('active'),
  }),
]);
export type InitiateAnswer = z.output<typeof initiateAnswer>;

/** The answer of `GET /api/v1/oauth/status/{connection_name}`. */
export const oauthStatus = z.object({
  connection_name: connectionName,
  status: z.enum(['not_authorized', 'active', 'expired', 'revoked', 'reauthorization_required']),
  reason: z.string().nullable().meta({
    description: 'Why it is not active, or why the last refresh failed: the code of the provider.',
  }),
  grant_type: grantType.nullable(),
  scope: z.string().nullable(),
  refreshable: z.boolean(),
  expires_at: timestamp.nullable(),
  authorized_by: z.string().nullable(),
  authorized_at: timestamp.nullable(),
  refreshed_at: timestamp.nullable(),
  pending: z
    .object({
      grant_type: grantType,
      expires_at: timestamp,
      error: z.string().nullable().meta({
        description: 'Null while somebody is waited for; else why it came to nothing.',
      }),
    })
    .nullable()
    .meta({ description: 'The authorisation that was started last, until it succeeds.' }),
});
export type OAuthStatus = z.output<typeof oauthStatus>;

/** The answer of `POST /api/v1/oauth/revoke/{connection_name}`. */
export const revokeAnswer = z.object({
  connection_name: connectionName,
  status: z.literal('revoked'),
  revoked_at_provider: z.boolean().meta({
    description: 'Whether the provider knows. If not, take the grant back there too.',
  }),
});
export type RevokeAnswer = z.output<typeof revokeAnswer>;
