import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { ExternalSigningKey } from 'oidc-provider';
import type { ScheduledKey } from './key-schedule.ts';

/** The part of a key that verifies, as it is published. */
export type PublicKey = JsonWebKey & { kid: string; alg: 'ES256'; use: 'sig' };

/** A key that signs access tokens. */
export interface SigningKey extends ScheduledKey {
  publicKey: PublicKey;
  /** Signs as JWS wants it (RFC 7518 §3.4). */
  sign: (data: Uint8Array) => Promise<Uint8Array>;
}

/** A public key, under its id. */
export function publicKeyOf(key: KeyObject, kid: string): PublicKey {
  const { kty, crv, x, y } = key.export({ format: 'jwk' });
  return {
    ...(kty && { kty }),
    ...(crv && { crv }),
    ...(x && { x }),
    ...(y && { y }),
    kid,
    alg: 'ES256',
    use: 'sig',
  };
}

/** The key for oidc-provider, which sees its public part alone. */
export class ProviderKey extends ExternalSigningKey {
  private readonly object: KeyObject;

  constructor(private readonly key: SigningKey) {
    super();
    this.object = createPublicKey({ key: key.publicKey, format: 'jwk' });
    Object.assign(this, { kid: key.kid, alg: 'ES256' });
  }

  override keyObject(): KeyObject {
    return this.object;
  }

  override sign(data: Uint8Array): Promise<Uint8Array> {
    return this.key.sign(data);
  }
}
