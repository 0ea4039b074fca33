import type { JWK } from 'jose';

/**
 * The keys of a service that issues tokens and verifies them too. Where a global module of the
 * service binds it, tokens are verified by these keys, and nothing is fetched.
 */
export abstract class OwnKeys {
  /** The public parts of all keys that a valid token may be signed by. */
  abstract publicKeys(): Promise<JWK[]>;
}
