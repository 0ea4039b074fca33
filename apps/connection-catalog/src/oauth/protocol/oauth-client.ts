import type * as oauth from 'oauth4webapi';
import { z } from 'zod';
import { providerNames } from './provider-quirks.ts';

/** How a client proves to a provider who it is. */
export const clientAuthentication = z.enum(['none', 'client_secret_basic', 'client_secret_post']);

/**
 * How one connection speaks to its provider: found out once, when somebody authorises it, and kept
 * beside the tokens. Nothing in it is secret.
 */
export const oauthClient = z.object({
  provider: z.enum(providerNames).nullable(),
  /** Null where the connection names endpoints and no issuer. */
  issuer: z.string().nullable(),
  /** Whether the provider says in its metadata that it sends `iss` (RFC 9207 §3). */
  sends_issuer: z.boolean(),
  authorization_endpoint: z.string().nullable(),
  token_endpoint: z.string(),
  device_authorization_endpoint: z.string().nullable(),
  revocation_endpoint: z.string().nullable(),
  client_id: z.string(),
  authentication: clientAuthentication,
  scopes: z.array(z.string()),
  /** Whom the token is for: RFC 8707, and the parameter that some providers had before it. */
  resource: z.string().nullable(),
  audience: z.string().nullable(),
  has_pkce: z.boolean(),
  /** Of a client that Soma registered by itself: where browsers may be sent back to. */
  registered_for: z.string().nullable(),
  /** What the connection was for then. Null where that was not kept yet. */
  bound_to: z.string().nullable().default(null),
});
export type OAuthClient = z.output<typeof oauthClient>;

/** As oauth4webapi wants the provider. */
export function serverOf(client: OAuthClient): oauth.AuthorizationServer {
  const { authorization_endpoint, device_authorization_endpoint, revocation_endpoint } = client;
  return {
    // It is compared with nothing where there is none: no ID token is read.
    issuer: client.issuer ?? new URL(client.token_endpoint).origin,
    token_endpoint: client.token_endpoint,
    ...(authorization_endpoint !== null && { authorization_endpoint }),
    ...(device_authorization_endpoint !== null && { device_authorization_endpoint }),
    ...(revocation_endpoint !== null && { revocation_endpoint }),
    authorization_response_iss_parameter_supported: client.sends_issuer,
  };
}
