import { randomInt } from 'node:crypto';
import { Secret } from '@soma/kernel';

/** How many codes a person has, each good for one sign-in without the device. */
const RECOVERY_CODES = 10;

/** Crockford's base32: no letter that is easily taken for a digit. 16 of them are 80 bits. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const GROUPS = 4;
const GROUP_LENGTH = 4;

/** A set of new codes, as in `k7qf-2m9x-…`. */
export function newRecoveryCodes(): string[] {
  return Array.from({ length: RECOVERY_CODES }, newRecoveryCode);
}

function newRecoveryCode(): string {
  const group = () =>
    Array.from({ length: GROUP_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return Array.from({ length: GROUPS }, group).join('-');
}

/** The code as it was given out, however somebody types it. */
export function readRecoveryCode(typed: string): Secret {
  const plain = typed.toLowerCase().replace(/[^a-z0-9]/g, '');
  return new Secret(plain.replaceAll('o', '0').replace(/[il]/g, '1'));
}
