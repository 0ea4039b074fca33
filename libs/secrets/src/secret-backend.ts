import type { Secret } from '@soma/kernel';

/** Where credentials can be kept. */
export const secretBackendTypes = [
  'encrypted_database',
  'env_var',
  'vault',
  'aws_secrets_manager',
  'gcp_secret_manager',
] as const;

/** One of {@link secretBackendTypes}. */
export type SecretBackendType = (typeof secretBackendTypes)[number];

/** What a credential is: one field of one connection of one tenant. */
export interface SecretLocation {
  /** From the verified principal. */
  tenantId: string;
  /**
   * The id of the connection, a UUID: a name may come again for another connection. Its name for
   * {@link EnvironmentSecrets}, which the operator sets, who knows no id.
   */
  connection: string;
  field: string;
}

/**
 * Keeps credentials. Each write makes a version, and the version that a connection's row names is the
 * one that counts: a version whose row was never committed is never read.
 *
 * Whatever is said about a secret must hold for every backend; `describeSecretBackendContract` says it.
 */
export interface SecretBackend {
  readonly type: SecretBackendType;
  /**
   * Stores a new version beside the earlier ones; resolves with its number, which is above theirs.
   * At least the ten newest are kept.
   */
  write(location: SecretLocation, value: Secret): Promise<number>;
  /** The version, or the newest one; undefined where there is none. */
  read(location: SecretLocation, version?: number): Promise<Secret | undefined>;
  /**
   * Removes every version. What is not there is removed already.
   *
   * @param signal - Aborts when it is not to be removed any more: then nothing is sent.
   */
  delete(location: SecretLocation, signal?: AbortSignal): Promise<void>;
}
