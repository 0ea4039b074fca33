import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  sign,
} from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Secret } from '@soma/kernel';
import { Envelope, type SealContext } from '@soma/secrets';
import { KeyBackend, type StoredKey } from './key-backend.ts';
import { publicKeyOf, type SigningKey } from './signing-key.ts';

/** Keeps private keys in the table, sealed under the master key of the service. */
@Injectable()
export class DatabaseKeys extends KeyBackend {
  constructor(private readonly envelope: Envelope) {
    super();
  }

  override create(kid: string): Promise<StoredKey> {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = JSON.stringify({ ...privateKey.export({ format: 'jwk' }), kid });
    return Promise.resolve({
      kid,
      public_jwk: null,
      sealed_jwk: this.envelope.seal(new Secret(jwk), contextOf(kid)),
      vault_key: null,
      vault_version: null,
    });
  }

  override open(stored: StoredKey): Pick<SigningKey, 'publicKey' | 'sign'> {
    const { kid, sealed_jwk, public_jwk } = stored;
    if (public_jwk !== null) {
      return { publicKey: public_jwk, sign: () => Promise.reject(new Error(IN_VAULT)) };
    }
    const text = this.envelope.open(sealed_jwk ?? '', contextOf(kid)).reveal();
    // What the envelope opens is what `create` sealed: GCM lets nothing else through.
    const key = createPrivateKey({ key: JSON.parse(text) as JsonWebKey, format: 'jwk' });
    return {
      publicKey: publicKeyOf(createPublicKey(key), kid),
      // Not in a thread: that takes longer than signing.
      sign: (data) => Promise.resolve(sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' })),
    };
  }
}

const IN_VAULT = 'The key that signs is in Vault, and SIGNING_KEYS_BACKEND does not say so.';

function contextOf(kid: string): SealContext {
  return ['identity.signing_keys', kid];
}
