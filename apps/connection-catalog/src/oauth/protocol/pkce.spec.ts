import { describe, expect, it } from '@jest/globals';
import {
  codeChallengeOf,
  codeVerifierOf,
  fingerprintOf,
  isFingerprintOf,
  newNonce,
} from './pkce.ts';

describe('PKCE', () => {
  it('makes the challenge of RFC 7636, appendix B', () => {
    expect(codeChallengeOf('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk')).toBe(
      'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    );
  });

  it('derives a verifier of the form of RFC 7636 §4.1 from browser and state', () => {
    const [browser, state] = [newNonce(), newNonce()];
    const verifier = codeVerifierOf(browser, state);

    expect(verifier).toMatch(/^[A-Za-z0-9._~-]{43,128}$/);
    expect(codeVerifierOf(browser, state)).toBe(verifier);
    expect(codeVerifierOf(newNonce(), state)).not.toBe(verifier);
    expect(codeVerifierOf(browser, newNonce())).not.toBe(verifier);
  });

  it('knows a nonce by what is stored of it', () => {
    const nonce = newNonce();

    expect(isFingerprintOf(nonce, fingerprintOf(nonce))).toBe(true);
    expect(isFingerprintOf(newNonce(), fingerprintOf(nonce))).toBe(false);
    expect(isFingerprintOf(nonce, Buffer.alloc(0))).toBe(false);
    expect(fingerprintOf(nonce).toString('base64url')).not.toBe(nonce);
  });
});
