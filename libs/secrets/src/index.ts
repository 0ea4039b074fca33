export { AwsSecrets } from './aws-secrets.ts';
export { EncryptedDatabase, secretContext, type SecretRows } from './encrypted-database.ts';
export { Envelope, type SealContext, UnsealError } from './envelope.ts';
export { EnvironmentSecrets } from './environment-secrets.ts';
export { GcpSecrets } from './gcp-secrets.ts';
export { GuardedSecrets } from './guarded-secrets.ts';
export { KeyedHash } from './keyed-hash.ts';
export {
  loadMasterKeys,
  type MasterKeys,
  masterKeySetting,
  otherMasterKeysSetting,
} from './master-key-setting.ts';
export { secretBackendSetting } from './secret-backend-setting.ts';
export type { SecretBackend, SecretBackendType, SecretLocation } from './secret-backend.ts';
export { VaultSecrets, type VaultSecretsOptions } from './vault/vault-secrets.ts';
export { type VaultLogin, type VaultOptions, VaultSession } from './vault/vault-session.ts';
