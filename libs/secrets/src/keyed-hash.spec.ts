import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { KeyedHash } from './keyed-hash.ts';

function aHash(): KeyedHash {
  return new KeyedHash(new Secret(randomBytes(32).toString('base64')));
}

describe('KeyedHash', () => {
  it('knows a secret again, and no other', () => {
    const hashes = aHash();
    const hash = hashes.of(new Secret('one'), 'keys');

    expect(hashes.matches(new Secret('one'), 'keys', hash)).toBe(true);
    expect(hashes.matches(new Secret('two'), 'keys', hash)).toBe(false);
    expect(hashes.matches(new Secret('one'), 'keys', hash.subarray(1))).toBe(false);
  });

  it('tells purposes and master keys apart', () => {
    const hashes = aHash();
    const hash = hashes.of(new Secret('one'), 'keys');

    expect(hashes.matches(new Secret('one'), 'invitations', hash)).toBe(false);
    expect(aHash().matches(new Secret('one'), 'keys', hash)).toBe(false);
  });

  it('holds nothing of the secret', () => {
    expect(aHash().of(new Secret('visible'), 'keys').toString('latin1')).not.toContain('visible');
  });
});
