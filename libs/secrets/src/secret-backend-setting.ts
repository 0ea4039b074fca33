import { z } from 'zod';
import { type SecretBackendType, secretBackendTypes } from './secret-backend.ts';

/** Names under which other systems know the backends. */
const ALIASES = new Map<string, SecretBackendType>([
  ['encrypted_sqlite', 'encrypted_database'],
  ['secret_manager_vault', 'vault'],
  ['secret_manager_cloud_a', 'aws_secrets_manager'],
  ['secret_manager_cloud_b', 'gcp_secret_manager'],
]);

/** The setting that says where credentials are kept. */
export const secretBackendSetting = z
  .string()
  .transform((name) => ALIASES.get(name) ?? name)
  .pipe(z.enum(secretBackendTypes, { error: `must be one of ${secretBackendTypes.join(', ')}` }))
  .default('encrypted_database')
  .describe(
    'Where credentials are kept: `encrypted_database` (our own), `env_var` (read only), `vault`, `aws_secrets_manager` or `gcp_secret_manager`. Also as `encrypted_sqlite`, `secret_manager_vault`, `secret_manager_cloud_a` and `secret_manager_cloud_b`.',
  );
