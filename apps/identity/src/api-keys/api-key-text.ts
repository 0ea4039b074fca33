import { randomBytes } from 'node:crypto';
import { Secret } from '@soma/kernel';

/** What a key's hash is for, where one master key serves several purposes. */
export const API_KEY_PURPOSE = 'identity.api_keys';

/** 256 bits: nobody guesses it, so a fast hash is enough to keep. */
const SECRET_BYTES = 32;

/** Makes the text of a key, which begins with a sign that scanners for leaked secrets know. */
export function newApiKeyText(keyId: string): Secret {
  return new Secret(`sk_${keyId}_${randomBytes(SECRET_BYTES).toString('base64url')}`);
}
