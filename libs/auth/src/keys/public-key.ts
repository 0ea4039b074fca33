import { ConfigError } from '@soma/kernel';
import { type CryptoKey, importJWK, type JWK } from 'jose';

/**
 * What a signature may be made with. No shared secrets: whoever can verify could then sign too.
 */
const ALGORITHMS = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** NIST SP 800-131A asks for 2048 bits. */
const MIN_MODULUS_BITS = 2048;

/** A key that verifies, with the one algorithm that it verifies by. */
export interface PublicKey {
  /** A key without an id may be the one of any token of its algorithm. */
  kid: string | undefined;
  algorithm: Algorithm;
  key: CryptoKey;
}

/** Whether a name is that of an algorithm that we verify by. */
export function isAlgorithm(name: unknown): name is Algorithm {
  return ALGORITHMS.some((algorithm) => algorithm === name);
}

/**
 * @throws Error that says why a key cannot be used, and nothing of the key but its id;
 *   {@link ConfigError} when it is not public.
 */
export async function importPublicKey(jwk: JWK): Promise<PublicKey> {
  const { kid } = jwk;
  const name = kid === undefined ? 'A key without an id' : `The key "${kid}"`;
  refuseSecret(jwk, name);
  const algorithm = isForSignatures(jwk) ? algorithmOf(jwk) : undefined;
  if (algorithm === undefined) {
    throw new Error(`${name} is not one for signatures by ${ALGORITHMS.join(', ')}.`);
  }
  const key = (await importJWK(jwk, algorithm)) as CryptoKey;
  const { modulusLength = MIN_MODULUS_BITS } = key.algorithm as { modulusLength?: number };
  if (modulusLength < MIN_MODULUS_BITS) {
    throw new Error(`${name} has fewer than ${MIN_MODULUS_BITS} bits.`);
  }
  return { kid, algorithm, key };
}

function refuseSecret({ kty, d }: JWK, name: string): void {
  if (kty === 'oct') {
    throw new ConfigError(`${name} is a shared secret. Give the public key of a pair.`);
  }
  if (d !== undefined) {
    throw new ConfigError(`${name} is a private one. Give its public part alone.`);
  }
}

function isForSignatures({ use = 'sig', key_ops: operations = ['verify'] }: JWK): boolean {
  return use === 'sig' && operations.includes('verify');
}

/**
 * By the key alone: what a token says about its algorithm is what its sender wrote. The first is
 * that of a key which does not say.
 */
function algorithmOf({ kty, crv, alg }: JWK): Algorithm | undefined {
  const possible = ALGORITHMS_OF[[kty, crv].filter(Boolean).join(' ')] ?? {};
  return alg === undefined ? Object.values(possible)[0] : possible[alg];
}

const ALGORITHMS_OF: Record<string, Record<string, Algorithm>> = {
  'EC P-256': { ES256: 'ES256' },
  // RFC 9864 gave it another name; tokens still say EdDSA.
  'OKP Ed25519': { EdDSA: 'EdDSA', Ed25519: 'EdDSA' },
  RSA: { RS256: 'RS256', PS256: 'PS256' },
};
