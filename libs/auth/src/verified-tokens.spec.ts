import { describe, expect, it } from '@jest/globals';
import { VerifiedTokens } from './verified-tokens.ts';

const principal = { subject: 'agent-7', tenant_id: 'acme', scopes: [] };

describe('VerifiedTokens', () => {
  it('stays bounded by giving up the oldest', () => {
    const tokens = new VerifiedTokens();
    const expiresAtMs = Date.now() + 60_000;
    for (let index = 0; index <= 10_000; index += 1) {
      tokens.add(`token-${index}`, { principal, expiresAtMs });
    }

    expect(tokens.find('token-0')).toBeUndefined();
    expect(tokens.find('token-1')).toEqual(principal);
    expect(tokens.find('token-10000')).toEqual(principal);
  });

  it('forgets a token that has ended', () => {
    const tokens = new VerifiedTokens();
    tokens.add('token', { principal, expiresAtMs: Date.now() });

    expect(tokens.find('token')).toBeUndefined();
  });
});
