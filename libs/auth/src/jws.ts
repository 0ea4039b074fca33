/*
 * Signatures in the compact form (RFC 7515 §7.1), read as strictly as can be.
 *
 * A token says nothing about how it is checked: its `alg` must be that of the key, its `kid` only
 * chooses among keys that we have, and a header that brings or names a key is refused. Header and
 * payload must be JSON that every reader reads alike: no member twice, no broken UTF-8.
 */
import { parseStrictJson } from '@soma/http';
import { compactVerify, type CryptoKey, errors } from 'jose';
import { z } from 'zod';
import { isAlgorithm, type Algorithm, type PublicKey } from './keys/public-key.ts';

const COMPACT = /^([\w-]+)\.([\w-]+)\.[\w-]+$/;

/** `crit` names extensions that a reader must know. We know none (RFC 7515 §4.1.11). */
const refused = z.never().optional();
const headerShape = z.looseObject({
  alg: z.custom<Algorithm>(isAlgorithm),
  kid: z.string().optional(),
  crit: refused,
  jwk: refused,
  jku: refused,
  x5c: refused,
  x5u: refused,
});

/** A token whose form is right. Of what it says nothing is proven. */
export interface UnprovenToken {
  text: string;
  algorithm: Algorithm;
  kid: string | undefined;
  payload: Uint8Array;
}

/** Where ids are missing, a few keys are tried. More would let a stranger's token cost too much. */
const MAX_TRIES = 4;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** @throws Error for whatever is not a token in the one form that we take. */
export function readToken(text: string): UnprovenToken {
  const [, header, payload] = COMPACT.exec(text) ?? [];
  if (header === undefined || payload === undefined) {
    throw new Error('The token is not a signature in compact form.');
  }
  const { alg, kid } = headerShape.parse(parseJson(Buffer.from(header, 'base64url')));
  return { text, algorithm: alg, kid, payload: Buffer.from(payload, 'base64url') };
}

/** @throws Error for JSON that two readers could read differently. */
export function parseJson(bytes: Uint8Array): unknown {
  return parseStrictJson(decoder.decode(bytes));
}

/** Those of some keys by which a token may be signed: one, where token and keys have ids. */
export function keysFor(
  { algorithm, kid }: UnprovenToken,
  keys: readonly PublicKey[],
): PublicKey[] {
  return keys
    .filter((key) => key.algorithm === algorithm)
    .filter((key) => kid === undefined || key.kid === undefined || key.kid === kid)
    .slice(0, MAX_TRIES);
}

/** @throws Error unless the token is signed with one of the keys. */
export async function verifySignature(
  { text, algorithm }: UnprovenToken,
  keys: readonly PublicKey[],
): Promise<void> {
  for (const { key } of keys) {
    if (await isSignedWith(key, text, algorithm)) {
      return;
    }
  }
  throw new Error('The token is signed with none of the keys.');
}

async function isSignedWith(key: CryptoKey, text: string, algorithm: Algorithm): Promise<boolean> {
  try {
    await compactVerify(text, key, { algorithms: [algorithm] });
    return true;
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) {
      return false;
    }
    throw error;
  }
}
