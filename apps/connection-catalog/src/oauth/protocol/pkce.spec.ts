import { describe, expect, it } from '@jest/globals';
import { codeChallengeOf, codeVerifierOf, fingerprintOf, newNonce } from './pkce.ts';

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

  it('stores of a nonce what it is known by, and not the nonce', () => {
    const nonce = newNonce();

    expect(fingerprintOf(nonce)).toEqual(fingerprintOf(nonce));
    expect(fingerprintOf(newNonce())).not.toEqual(fingerprintOf(nonce));
    expect(fingerprintOf(nonce).toString('base64url')).not.toBe(nonce);
  });
});
