import type { PublicKey, SigningKey } from './signing-key.ts';

/** What the table keeps of a key. Either it is sealed there, or Vault has it. */
export interface StoredKey {
  kid: string;
  public_jwk: PublicKey | null;
  sealed_jwk: string | null;
  vault_key: string | null;
  vault_version: number | null;
}

/** Makes keys, and opens those that it made. */
export abstract class KeyBackend {
  /** Makes a key. It is not used before it is stored. */
  abstract create(kid: string): Promise<StoredKey>;

  /** What signs with a stored key, and its public part. One that it cannot use verifies alone. */
  abstract open(key: StoredKey): Pick<SigningKey, 'publicKey' | 'sign'>;
}
