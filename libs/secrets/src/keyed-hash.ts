import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { Secret } from '@soma/kernel';
import { decodeMasterKey } from './master-key.ts';

/**
 * Hashes of secrets that Soma made itself, which are compared and never read again.
 *
 * HMAC-SHA-256 under a key that is derived from the master key for each purpose (RFC 5869). Such a
 * secret is 32 random bytes and not a word that somebody chose: there is nothing to guess, so a slow
 * hash would protect nothing and let anyone keep the service busy by sending wrong secrets. The key
 * makes a hash worthless to whoever can write to the database and not to the service: nobody else
 * can make one that fits.
 */
export class KeyedHash {
  readonly #masterKey: Buffer;

  /** @param masterKey - 32 bytes in base64, as `masterKeySetting` checks. */
  constructor(masterKey: Secret) {
    this.#masterKey = decodeMasterKey(masterKey);
  }

  /** @param purpose - What the secret is for, such as `identity.api_keys`; equal secrets of two purposes have two hashes. */
  of(secret: Secret, purpose: string): Buffer {
    const key = hkdfSync('sha256', this.#masterKey, '', `soma.keyed-hash.v1:${purpose}`, 32);
    return createHmac('sha256', Buffer.from(key)).update(secret.reveal()).digest();
  }

  /** Whether the hash is that of the secret, in a time that tells nothing. */
  matches(secret: Secret, purpose: string, hash: Buffer): boolean {
    const expected = this.of(secret, purpose);
    return expected.length === hash.length && timingSafeEqual(expected, hash);
  }
}
