import { recordCircuitState } from '@soma/observability';
import {
  AwsSecrets,
  EncryptedDatabase,
  EnvironmentSecrets,
  type Envelope,
  GcpSecrets,
  GuardedSecrets,
  type SecretBackend,
  type SecretRows,
  VaultSecrets,
} from '@soma/secrets';
import { gcpProject, type SecretConfig, vaultOptions } from './secret-settings.ts';

/** The backend that the settings name, and never another one. */
export function makeSecretBackend(
  config: SecretConfig,
  rows: SecretRows,
  envelope: Envelope,
): SecretBackend {
  switch (config.INTEGRATIONS_SECRET_BACKEND_BACKEND_TYPE) {
    case 'encrypted_database':
      return new EncryptedDatabase(rows, envelope);
    case 'env_var':
      return new EnvironmentSecrets(process.env);
    case 'vault':
      return guarded(new VaultSecrets(vaultOptions(config)));
    case 'aws_secrets_manager':
      return guarded(new AwsSecrets());
    case 'gcp_secret_manager':
      return guarded(new GcpSecrets({ projectId: gcpProject(config) }));
  }
}

function guarded(backend: SecretBackend): SecretBackend {
  return new GuardedSecrets(backend, recordCircuitState);
}
