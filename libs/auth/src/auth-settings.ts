import { clientIdentifier } from '@soma/contracts';
import { booleanSetting, listSetting, secretSetting } from '@soma/kernel';
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
  OPA_URL: z
    .url('must be a URL')
    .optional()
    .describe(
      'Where Open Policy Agent is, which decides on every request. Unset works only with ' +
        '`NODE_ENV=development`: there the declarations of the routes decide alone.',
    ),
  OPENFGA_API_URL: z
    .url('must be a URL')
    .optional()
    .describe(
      'Where OpenFGA is, which knows who is what to whom. Unset works only with ' +
        '`NODE_ENV=development`.',
    ),
  OPENFGA_API_TOKEN: secretSetting
    .optional()
    .describe('The key that OpenFGA asks its callers for.'),
  OPENFGA_STORE: z.string().default('soma').describe('Name of our store in OpenFGA.'),
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
    policyUrl: config.OPA_URL,
    relationships: relationshipsOf(config),
  };
}

function relationshipsOf(config: AuthConfig): AuthenticationOptions['relationships'] {
  const { OPENFGA_API_URL: url, OPENFGA_API_TOKEN: token, OPENFGA_STORE: store } = config;
  return url === undefined ? undefined : { url, token, store };
}
