import { describe, expect, it } from '@jest/globals';
import { VerifiedTokens } from './verified-tokens.ts';

const principal = { subject: 'agent-7', tenant_id: 'acme', scopes: [] };
const lasting = { principal, expiresAtMs: Date.now() + 60_000, confirmation: undefined };

describe('VerifiedTokens', () => {
  it('stays bounded by giving up the oldest', () => {
    const tokens = new VerifiedTokens();
    for (let index = 0; index <= 10_000; index += 1) {
      tokens.add(`token-${index}`, lasting);
    }

    expect(tokens.find('token-0')).toBeUndefined();
    expect(tokens.find('token-1')).toBe(lasting);
    expect(tokens.find('token-10000')).toBe(lasting);
  });

  it('forgets a token that has ended', () => {
    const tokens = new VerifiedTokens();
    tokens.add('token', { ...lasting, expiresAtMs: Date.now() });

    expect(tokens.find('token')).toBeUndefined();
  });
});
