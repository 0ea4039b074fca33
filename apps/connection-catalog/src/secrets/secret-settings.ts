import { ConfigError, secretSetting } from '@soma/kernel';
import {
  loadMasterKeys,
  type MasterKeys,
  masterKeySetting,
  otherMasterKeysSetting,
  secretBackendSetting,
  type VaultLogin,
  type VaultSecretsOptions,
} from '@soma/secrets';
import { z } from 'zod';

const OWN_KEY = 'SOMA_MASTER_KEY';

/** What opens credentials. */
export const masterKeySettings = {
  SOMA_MASTER_KEY: masterKeySetting.optional(),
  SOMA_MASTER_KEY_OTHERS: otherMasterKeysSetting,
  INTEGRATIONS_SECRET_BACKEND_MASTER_KEY_ENV: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/, 'must be the name of an environment variable')
    .default(OWN_KEY)
    .describe('The variable that holds the master key, where it is not `SOMA_MASTER_KEY`.'),
};

/** Where credentials are kept. */
export const secretBackendSettings = {
  INTEGRATIONS_SECRET_BACKEND_BACKEND_TYPE: secretBackendSetting,
  VAULT_ADDR: z.url('must be a URL').optional().describe('The Vault of the backend `vault`.'),
  VAULT_TOKEN: secretSetting.optional().describe('A token for it. Unset: another way to sign in.'),
  INTEGRATIONS_SECRET_BACKEND_VAULT_MOUNT: z
    .string()
    .default('secret')
    .describe('Where its key-value engine (version 2) is mounted.'),
  INTEGRATIONS_SECRET_BACKEND_VAULT_KUBERNETES_ROLE: z
    .string()
    .optional()
    .describe('The role by which a pod signs in to it, with the token of its service account.'),
  INTEGRATIONS_SECRET_BACKEND_VAULT_ROLE_ID: z
    .string()
    .optional()
    .describe('Or the AppRole by which it signs in.'),
  INTEGRATIONS_SECRET_BACKEND_VAULT_SECRET_ID: secretSetting
    .optional()
    .describe('The secret of that AppRole.'),
  INTEGRATIONS_SECRET_BACKEND_GCP_PROJECT: z
    .string()
    .optional()
    .describe('The project whose Secret Manager the backend `gcp_secret_manager` uses.'),
};

type MasterKeyConfig = z.output<z.ZodObject<typeof masterKeySettings>>;
type SecretBackendConfig = z.output<z.ZodObject<typeof secretBackendSettings>>;
/** Their values. */
export type SecretConfig = MasterKeyConfig & SecretBackendConfig;

/** Says what is wrong with settings that are each well and do not go together. */
export function checkMasterKeys(config: MasterKeyConfig, context: z.RefinementCtx): void {
  report(context, config.INTEGRATIONS_SECRET_BACKEND_MASTER_KEY_ENV, () => masterKeysOf(config));
}

/** Says what the backend lacks. */
export function checkSecretBackend(config: SecretBackendConfig, context: z.RefinementCtx): void {
  report(context, 'INTEGRATIONS_SECRET_BACKEND_BACKEND_TYPE', () => backendOptions(config));
}

function report(context: z.RefinementCtx, name: string, check: () => unknown): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // Where settings were read once more, each fault is a line that begins with a variable.
    const faults = [...error.message.matchAll(/^ {2}([\w.]+): (.*)$/gm)];
    const issues = faults.map(([, path = name, message = '']) => ({ path: [path], message }));
    const all = issues.length > 0 ? issues : [{ path: [name], message: error.message }];
    for (const issue of all) context.addIssue({ code: 'custom', ...issue });
  }
}

/**
 * The keys that credentials are sealed with: of the variable that is named, and no other.
 *
 * @throws {@link ConfigError} where it holds no key.
 */
export function masterKeysOf(config: MasterKeyConfig): MasterKeys {
  const name = config.INTEGRATIONS_SECRET_BACKEND_MASTER_KEY_ENV;
  if (name !== OWN_KEY) return loadMasterKeys(name);
  if (config.SOMA_MASTER_KEY === undefined) throw new ConfigError('must be set');
  return { current: config.SOMA_MASTER_KEY, others: config.SOMA_MASTER_KEY_OTHERS };
}

/** @throws {@link ConfigError} where it cannot be reached so. */
export function vaultOptions(config: SecretBackendConfig): VaultSecretsOptions {
  if (config.VAULT_ADDR === undefined) throw new ConfigError('vault needs VAULT_ADDR');
  return {
    address: config.VAULT_ADDR,
    mount: config.INTEGRATIONS_SECRET_BACKEND_VAULT_MOUNT,
    login: vaultLogin(config),
  };
}

/** @throws {@link ConfigError} where it is not set. */
export function gcpProject(config: SecretBackendConfig): string {
  const projectId = config.INTEGRATIONS_SECRET_BACKEND_GCP_PROJECT;
  if (projectId !== undefined) return projectId;
  throw new ConfigError('gcp_secret_manager needs INTEGRATIONS_SECRET_BACKEND_GCP_PROJECT');
}

function backendOptions(config: SecretBackendConfig): unknown {
  switch (config.INTEGRATIONS_SECRET_BACKEND_BACKEND_TYPE) {
    case 'vault':
      return vaultOptions(config);
    case 'gcp_secret_manager':
      return gcpProject(config);
    default:
      return undefined;
  }
}

function vaultLogin(config: SecretBackendConfig): VaultLogin {
  const {
    VAULT_TOKEN: token,
    INTEGRATIONS_SECRET_BACKEND_VAULT_KUBERNETES_ROLE: role,
    INTEGRATIONS_SECRET_BACKEND_VAULT_ROLE_ID: roleId,
    INTEGRATIONS_SECRET_BACKEND_VAULT_SECRET_ID: secretId,
  } = config;
  if (token !== undefined) return { method: 'token', token };
  if (role !== undefined) return { method: 'kubernetes', role };
  if (roleId !== undefined && secretId !== undefined)
    return { method: 'approle', roleId, secretId };
  throw new ConfigError(
    'vault needs VAULT_TOKEN, INTEGRATIONS_SECRET_BACKEND_VAULT_KUBERNETES_ROLE, or both ' +
      'INTEGRATIONS_SECRET_BACKEND_VAULT_ROLE_ID and INTEGRATIONS_SECRET_BACKEND_VAULT_SECRET_ID',
  );
}
