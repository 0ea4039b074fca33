import { createHash, createSecretKey, type KeyObject } from 'node:crypto';
import type { Secret } from '@soma/kernel';
import { decodeMasterKey } from './master-key.ts';

const ID_CHARACTERS = 12;

interface MasterKey {
  id: string;
  key: KeyObject;
}

/** The master keys that a process knows: the one it seals with, and those that it reads besides. */
export class MasterKeyRing {
  readonly current: MasterKey;
  readonly all: readonly MasterKey[];

  constructor(current: Secret, others: readonly Secret[]) {
    this.current = masterKeyOf(current);
    this.all = [this.current, ...others.map(masterKeyOf)];
  }

  find(id: string): MasterKey | undefined {
    return this.all.find((each) => each.id === id);
  }
}

/**
 * The id is made from the key, so that nobody has to number keys, and a key cannot be entered under
 * another one's number. Of 256 random bits a hash tells nothing.
 */
function masterKeyOf(secret: Secret): MasterKey {
  const bytes = decodeMasterKey(secret);
  const hash = createHash('sha256').update('soma.master-key-id.v1:').update(bytes);
  const id = hash.digest('base64url').slice(0, ID_CHARACTERS);
  return { id, key: createSecretKey(bytes) };
}
