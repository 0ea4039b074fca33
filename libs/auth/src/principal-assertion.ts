/*
 * How a service says on whose behalf it calls another.
 *
 * The callee gets two things. The service token, from identity, says who calls and whom; it names
 * the thumbprint of a key that the calling process made at its start (`cnf.jkt`: identity saw the
 * proof of RFC 9449). The assertion, signed with that key for one minute, names the principal. So:
 *
 * - a service token that leaked is worth nothing without the key, which never leaves the process;
 * - no keys are handed out or stored: the token itself vouches for the one that counts;
 * - it works where there is no token of a user to pass on: a turn outlives the token of its message,
 *   and a trigger never had one.
 *
 * That a service may speak for any tenant is the trust it already has: it reads their rows.
 */
import type { Principal } from '@soma/contracts';
import {
  calculateJwkThumbprint,
  type CryptoKey,
  EmbeddedJWK,
  exportJWK,
  generateKeyPair,
  type JWK,
  jwtVerify,
  SignJWT,
} from 'jose';
import { CLOCK_LEEWAY_SECONDS, wellFormedPrincipal } from './token-claims.ts';

/** Of the keys that our own processes make. */
export const ALGORITHM = 'ES256';

/** The header that carries the assertion beside the service token. */
export const PRINCIPAL_HEADER = 'x-soma-principal';

const TYPE = 'soma-principal+jwt';
const LIFETIME_SECONDS = 60;

/** A key that one process proves to be itself with. */
export interface ProofKey {
  privateKey: CryptoKey;
  publicJwk: JWK;
}

/** Makes a key that cannot be exported. */
export async function createProofKey(): Promise<ProofKey> {
  const { privateKey, publicKey } = await generateKeyPair(ALGORITHM);
  return { privateKey, publicJwk: await exportJWK(publicKey) };
}

/** Signs whom a request to `audience` is made for. */
export function signPrincipal(
  { privateKey, publicJwk }: ProofKey,
  audience: string,
  principal: Principal,
): Promise<string> {
  return new SignJWT({ principal })
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, jwk: publicJwk })
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(`${LIFETIME_SECONDS} seconds`)
    .sign(privateKey);
}

/**
 * Reads an assertion.
 *
 * @param thumbprint - Of the key that the service token names. Another key's word does not count.
 */
export async function verifyPrincipal(
  assertion: string,
  { audience, thumbprint }: { audience: string; thumbprint: string },
): Promise<Principal> {
  const { payload, protectedHeader } = await jwtVerify(assertion, EmbeddedJWK, {
    algorithms: [ALGORITHM],
    typ: TYPE,
    audience,
    clockTolerance: CLOCK_LEEWAY_SECONDS,
    maxTokenAge: LIFETIME_SECONDS,
  });
  if ((await calculateJwkThumbprint(protectedHeader.jwk ?? {})) !== thumbprint) {
    throw new Error('The assertion is not signed with the key that the service token names.');
  }
  return wellFormedPrincipal.parse(payload['principal']);
}
