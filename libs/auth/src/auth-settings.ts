import { clientIdentifier } from '@soma/contracts';
import { booleanSetting, ConfigError, listSetting, secretSetting } from '@soma/kernel';
import { z } from 'zod';
import type { AuthenticationOptions } from './authenticator.ts';
import { externalIssuersSetting } from './external-issuers.ts';
import type { KeySource } from './keys/key-source.ts';
import { KeysAtUrl } from './keys/remote-keys.ts';
import { VaultKeys } from './keys/vault-keys.ts';
import { WrittenKeys } from './keys/written-keys.ts';

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
  GATEWAY_JWT_PUBLIC_KEYS: z
    .string()
    .optional()
    .describe('Or the public keys themselves, in PEM or as a JSON Web Key Set.'),
  GATEWAY_JWT_VAULT_ADDR: z
    .url('must be a URL')
    .optional()
    .describe('The Vault that keeps what concerns access tokens.'),
  GATEWAY_JWT_VAULT_MOUNT: z
    .string()
    .default('secret')
    .describe('Where its key-value engine (version 2) is mounted.'),
  GATEWAY_JWT_VAULT_PATH: z
    .string()
    .optional()
    .describe('Or the secret in Vault that holds the public keys.'),
  GATEWAY_JWT_VAULT_FIELD: z
    .string()
    .default('public_keys')
    .describe('The field of that secret: PEM, or a JSON Web Key Set.'),
  GATEWAY_JWT_VAULT_ROLE: z
    .string()
    .optional()
    .describe("The role by which a pod signs in to Vault, with its service account's token."),
  GATEWAY_JWT_EXTERNAL_ISSUERS: externalIssuersSetting.describe(
    'Providers besides identity, as a JSON array; docs/identity.md says how.',
  ),
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
 * @throws {@link ConfigError} for keys from two places, and for such as must not be there.
 */
export function authOptions(config: AuthConfig, audience: string): AuthenticationOptions {
  return {
    issuer: config.IDENTITY_ISSUER,
    keys: keySource(config),
    audience,
    tenantClaims: config.GATEWAY_JWT_TENANT_CLAIMS,
    externalIssuers: config.GATEWAY_JWT_EXTERNAL_ISSUERS,
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

/** The address at which the keys are fetched; undefined where they come from elsewhere. */
export function jwksUrl(config: AuthConfig): string | undefined {
  const { IDENTITY_ISSUER, GATEWAY_JWT_PUBLIC_KEYS, GATEWAY_JWT_VAULT_PATH } = config;
  return GATEWAY_JWT_PUBLIC_KEYS === undefined && GATEWAY_JWT_VAULT_PATH === undefined
    ? (config.GATEWAY_JWT_JWKS_URL ?? `${IDENTITY_ISSUER.replace(/\/$/, '')}/.well-known/jwks.json`)
    : undefined;
}

function keySource(config: AuthConfig): KeySource {
  const { GATEWAY_JWT_PUBLIC_KEYS: text } = config;
  const named = SOURCES.filter((name) => config[name] !== undefined);
  if (named.length > 1) {
    throw new ConfigError(`Keep one of ${named.join(' and ')}: keys come from one place.`);
  }
  if (text !== undefined) {
    return new WrittenKeys('GATEWAY_JWT_PUBLIC_KEYS', text);
  }
  const url = jwksUrl(config);
  return url === undefined ? vaultKeys(config) : new KeysAtUrl(url);
}

const SOURCES = [
  'GATEWAY_JWT_JWKS_URL',
  'GATEWAY_JWT_PUBLIC_KEYS',
  'GATEWAY_JWT_VAULT_PATH',
] as const;

function vaultKeys(config: AuthConfig): VaultKeys {
  const { GATEWAY_JWT_VAULT_ADDR: addr, GATEWAY_JWT_VAULT_ROLE: role } = config;
  const { GATEWAY_JWT_VAULT_PATH: path = '' } = config;
  if (addr === undefined || role === undefined) {
    throw new ConfigError(
      'GATEWAY_JWT_VAULT_PATH needs GATEWAY_JWT_VAULT_ADDR and GATEWAY_JWT_VAULT_ROLE.',
    );
  }
  const { GATEWAY_JWT_VAULT_MOUNT: mount, GATEWAY_JWT_VAULT_FIELD: field } = config;
  return new VaultKeys({ addr, mount, path, field, role });
}
