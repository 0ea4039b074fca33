import { createPublicKey } from 'node:crypto';
import { ConfigError } from '@soma/kernel';
import type { JWK } from 'jose';
import { toKeys } from './fetch-json.ts';
import type { KeySource } from './key-source.ts';

const PEM_BLOCK = /-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g;
const PUBLIC_LABELS = ['PUBLIC KEY', 'RSA PUBLIC KEY', 'CERTIFICATE'];

/** Keys that stand in a setting. */
export class WrittenKeys implements KeySource {
  readonly isOurs = true;
  private readonly keys: JWK[];

  /** @throws {@link ConfigError} when the text holds no key, or a private one. */
  constructor(
    readonly place: string,
    text: string,
  ) {
    this.keys = readKeys(text);
  }

  read(): Promise<JWK[]> {
    return Promise.resolve(this.keys);
  }
}

/**
 * Reads keys as people write them down: one or many in PEM (RFC 7468), or a JSON Web Key Set.
 *
 * @throws {@link ConfigError} when there is no key in the text, or a private one.
 */
export function readKeys(text: string): JWK[] {
  const keys = text.trimStart().startsWith('{') ? toKeys(JSON.parse(text)) : readPem(text);
  if (keys.length === 0) {
    throw new ConfigError('There is no key. Give public keys in PEM, or a JSON Web Key Set.');
  }
  return keys;
}

function readPem(text: string): JWK[] {
  return [...text.matchAll(PEM_BLOCK)].map(([block, label = '']) => {
    // Node.js would make the public key of a private one, which has no business here.
    if (!PUBLIC_LABELS.includes(label)) {
      throw new ConfigError(`There is a ${label} where only public keys belong.`);
    }
    return createPublicKey(block).export({ format: 'jwk' });
  });
}
