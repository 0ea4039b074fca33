import type { JWK } from 'jose';

/** Where the public keys of an issuer are read, again and again. */
export interface KeySource {
  /** For log lines, as in `https://id.example.com/jwks`. */
  readonly place: string;
  /** Whether an administrator fills it. A secret in it then keeps the service from starting. */
  readonly isOurs: boolean;
  read(signal: AbortSignal): Promise<JWK[]>;
}
