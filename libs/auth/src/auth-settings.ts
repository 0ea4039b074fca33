import { clientIdentifier } from '@soma/contracts';
import { booleanSetting, listSetting } from '@soma/kernel';
import { z } from 'zod';
import type { AuthenticationOptions } from './authenticator.ts';

/** The settings of a service that verifies access tokens; its schema spreads them. */
export const authSettings = {
  IDENTITY_ISSUER: z
    .url('must be a URL')
    .default('http://localhost:8080')
    .describe('Issuer of the access tokens that are accepted, letter by letter as in their `iss`.'),
  GATEWAY_JWT_JWKS_URL: z
    .url('must be a URL')
    .optional()
    .describe('Where the keys that verify access tokens are read. Unset: at the issuer.'),
  GATEWAY_JWT_TENANT_CLAIMS: listSetting(['tenant', 'org', 'customer']).describe(
    'Claims that may name the tenant. The first that a token has is the one that counts.',
  ),
  GATEWAY_REQUIRE_AUTH: booleanSetting(true).describe(
    'Whether a request needs an access token. `false` works only with `NODE_ENV=development`.',
  ),
  DEFAULT_TENANT: clientIdentifier
    .default('acme')
    .describe('Tenant of every caller while `GATEWAY_REQUIRE_AUTH` is `false`.'),
};

type AuthConfig = z.output<z.ZodObject<typeof authSettings>>;

/**
 * Whose tokens a service accepts, by its settings.
 *
 * @param audience - The name of the service.
 */
export function authOptions(config: AuthConfig, audience: string): AuthenticationOptions {
  const issuer = config.IDENTITY_ISSUER;
  return {
    issuer,
    jwksUrl: config.GATEWAY_JWT_JWKS_URL ?? `${issuer.replace(/\/$/, '')}/.well-known/jwks.json`,
    audience,
    tenantClaims: config.GATEWAY_JWT_TENANT_CLAIMS,
    requireAuth: config.GATEWAY_REQUIRE_AUTH,
    defaultTenant: config.DEFAULT_TENANT,
  };
}
