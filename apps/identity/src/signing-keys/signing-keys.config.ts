import { ConfigError, Secret, secretSetting } from '@soma/kernel';
import { z } from 'zod';
import type { VaultLogin } from '@soma/secrets';
import type { VaultKeysOptions } from './vault-keys.ts';

/** Where the keys that sign access tokens are. */
export const signingKeySettings = {
  SIGNING_KEYS_BACKEND: z
    .enum(['database', 'vault'], { error: 'must be database or vault' })
    .default('database')
    .describe(
      'Where the keys that sign access tokens are: sealed in the database, or in Vault’s Transit engine.',
    ),
  GATEWAY_JWT_VAULT_TRANSIT_MOUNT: z
    .string()
    .default('transit')
    .describe('Where the Transit engine of `GATEWAY_JWT_VAULT_ADDR` is mounted.'),
  GATEWAY_JWT_VAULT_TRANSIT_KEY: z
    .string()
    .regex(/^[\w.-]+$/, 'must be a name')
    .default('soma-access-tokens')
    .describe('The name of the key there; its versions are the keys that sign.'),
  GATEWAY_JWT_VAULT_ROLE_ID: z
    .string()
    .optional()
    .describe('AppRole by which identity signs in to Vault. Unset: `GATEWAY_JWT_VAULT_ROLE`.'),
  GATEWAY_JWT_VAULT_SECRET_ID: secretSetting.optional().describe('The secret of that AppRole.'),
};

type SigningKeyConfig = z.output<z.ZodObject<typeof signingKeySettings>> & {
  GATEWAY_JWT_VAULT_ADDR?: string | undefined;
  GATEWAY_JWT_VAULT_ROLE?: string | undefined;
};

/**
 * The Vault whose keys sign; undefined where the database has them.
 *
 * @throws {@link ConfigError} when something is missing.
 */
export function vaultOptions(config: SigningKeyConfig): VaultKeysOptions | undefined {
  if (config.SIGNING_KEYS_BACKEND === 'database') {
    return undefined;
  }
  if (config.GATEWAY_JWT_VAULT_ADDR === undefined) {
    throw new ConfigError('SIGNING_KEYS_BACKEND=vault needs GATEWAY_JWT_VAULT_ADDR.');
  }
  return {
    address: config.GATEWAY_JWT_VAULT_ADDR,
    mount: config.GATEWAY_JWT_VAULT_TRANSIT_MOUNT,
    key: config.GATEWAY_JWT_VAULT_TRANSIT_KEY,
    login: loginOf(config),
  };
}

function loginOf(config: SigningKeyConfig): VaultLogin {
  const { GATEWAY_JWT_VAULT_ROLE: role, GATEWAY_JWT_VAULT_ROLE_ID: roleId } = config;
  const { GATEWAY_JWT_VAULT_SECRET_ID: secretId } = config;
  if (roleId !== undefined && secretId instanceof Secret) {
    return { method: 'approle', roleId, secretId };
  }
  if (roleId === undefined && secretId === undefined && role !== undefined) {
    return { method: 'kubernetes', role };
  }
  throw new ConfigError(
    'SIGNING_KEYS_BACKEND=vault needs GATEWAY_JWT_VAULT_ROLE (Kubernetes), or both ' +
      'GATEWAY_JWT_VAULT_ROLE_ID and GATEWAY_JWT_VAULT_SECRET_ID (AppRole).',
  );
}
