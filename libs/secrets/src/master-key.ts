import type { Secret } from '@soma/kernel';

const KEY_BYTES = 32;

/** The 32 bytes of a master key. */
export function decodeMasterKey(masterKey: Secret): Buffer {
  const text = masterKey.reveal();
  const bytes = Buffer.from(text, 'base64');
  // Node skips what is not base64; a mistyped key must not become another one in silence.
  if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== text) {
    throw new Error('The master key must be 32 bytes in base64.');
  }
  return bytes;
}
