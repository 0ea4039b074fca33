import type { JWK } from 'jose';
import type { KeySource } from './keys/key-source.ts';

/**
 * The keys of a service that issues tokens and verifies them too. Where a global module of the
 * service binds it, tokens are verified by these keys, and nothing is fetched.
 */
export abstract class OwnKeys implements KeySource {
  readonly place = 'the own keys';
  readonly isOurs = false;

  /** The public parts of all keys that a valid token may be signed by. */
  abstract publicKeys(): Promise<JWK[]>;

  read(): Promise<JWK[]> {
    return this.publicKeys();
  }
}
