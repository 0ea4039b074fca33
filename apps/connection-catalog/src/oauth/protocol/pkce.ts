/*
 * What binds the way to a provider and back to one browser, without storing a secret.
 *
 * The browser that starts gets a random key in a cookie. The PKCE verifier (RFC 7636) is derived
 * from that key and the state, so it exists only while the same browser brings the key back: who
 * reads the database finds hashes, and can neither finish a sign-in nor make a verifier that fits.
 */
import { createHmac, hash, randomBytes } from 'node:crypto';

const KEY_BYTES = 32;

/** 32 random bytes: a state, or the key of a browser. */
export function newNonce(): string {
  return randomBytes(KEY_BYTES).toString('base64url');
}

/** The verifier of one way there and back: 43 characters of RFC 7636 §4.1. */
export function codeVerifierOf(browserKey: string, state: string): string {
  return createHmac('sha256', browserKey).update(`soma.pkce.v1:${state}`).digest('base64url');
}

/** RFC 7636 §4.2, method S256. */
export function codeChallengeOf(verifier: string): string {
  return hash('sha256', verifier, 'base64url');
}

/** What is stored of a state or a browser's key. */
export function fingerprintOf(nonce: string): Buffer {
  return hash('sha256', nonce, 'buffer');
}
