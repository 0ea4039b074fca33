/*
 * Envelope encryption of single values.
 *
 * A value is encrypted with a data key, and the data key is stored beside it, wrapped by a master
 * key. So a master key encrypts nothing but short random keys, and replacing it means wrapping those
 * again without touching a value. The text says by its id which master key wrapped the data key, so
 * that values under the old and the new one can be read side by side while they are replaced.
 *
 * Both layers are AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. The value authenticates its
 * context: what it is for, whose it is and which version. A sealed value that is copied to another
 * row does not open there; neither does one whose wrapped key was exchanged, for it has another data
 * key. The format's version is part of what both layers authenticate, so that no version can be talked
 * into reading a value as another one.
 *
 *   v2.<id of the master key>.<wrapped data key>.<sealed value>
 *   v1.<wrapped data key>.<sealed value>      read, and no longer written: it names no master key
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { Secret } from '@soma/kernel';
import { MasterKeyRing } from './master-key-ring.ts';
import { pooledRandomBytes } from './random-pool.ts';

const ALGORITHM = 'aes-256-gcm';
const VERSION = 'v2';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What a sealed value belongs to, such as `['identity.signing_keys', kid]`. Not secret. */
export type SealContext = readonly [purpose: string, ...ids: string[]];

/** A sealed value does not open: it was altered, moved, or sealed under another master key. */
export class UnsealError extends Error {
  override readonly name = 'UnsealError';

  constructor(cause?: unknown) {
    super('The sealed value does not open with this master key in this place.', { cause });
  }
}

/** A key that seals the versions of one secret. What it sealed carries it, wrapped. */
export class DataKey {
  readonly #key: KeyObject;
  readonly #prefix: string;

  constructor(key: Buffer, wrapped: string) {
    // A cipher takes three times as long with a key as bytes.
    this.#key = createSecretKey(key);
    this.#prefix = wrapped;
  }

  /** Encrypts a secret into text that only the same context opens. */
  seal(secret: Secret, context: SealContext): string {
    const associated = associatedData(VERSION, context);
    return `${this.#prefix}.${encrypt(this.#key, Buffer.from(secret.reveal(), 'utf8'), associated)}`;
  }
}

/** Seals secrets for storage, and opens them again. */
export class Envelope {
  readonly #masterKeys: MasterKeyRing;

  /**
   * @param masterKey - What wraps data keys from now on: 32 bytes in base64, as `masterKeySetting`
   *   checks.
   * @param others - Keys that are read with besides: the one before it, or the one that comes next.
   */
  constructor(masterKey: Secret, others: readonly Secret[] = []) {
    this.#masterKeys = new MasterKeyRing(masterKey, others);
  }

  /** Which master key wraps what is sealed now. It tells nothing of the key. */
  get masterKeyId(): string {
    return this.#masterKeys.current.id;
  }

  /** Whether what was sealed under this master key can be read. */
  knows(masterKeyId: string): boolean {
    return this.#masterKeys.find(masterKeyId) !== undefined;
  }

  /** A new data key, for whoever seals one secret again and again. */
  newDataKey(): DataKey {
    const key = pooledRandomBytes(KEY_BYTES);
    return new DataKey(key, this.#wrap(key));
  }

  /** Encrypts a secret, under a data key of its own, into text that only the same context opens. */
  seal(secret: Secret, context: SealContext): string {
    return this.newDataKey().seal(secret, context);
  }

  /** @throws {@link UnsealError} when the text was not sealed for this context under a known key. */
  open(sealedText: string, context: SealContext): Secret {
    return this.#open(sealedText, context).secret;
  }

  /**
   * The same value under the current master key.
   *
   * @throws {@link UnsealError} as {@link open} does: what does not open is left as it is.
   */
  rewrap(sealedText: string, context: SealContext): string {
    const { version, dataKey, sealed, secret } = this.#open(sealedText, context);
    // A v1 value authenticates its format.
    return version === VERSION ? `${this.#wrap(dataKey)}.${sealed}` : this.seal(secret, context);
  }

  #wrap(dataKey: Buffer): string {
    const { id, key } = this.#masterKeys.current;
    return `${VERSION}.${id}.${encrypt(key, dataKey, wrappingData(id))}`;
  }

  #open(text: string, context: SealContext): Parts & { secret: Secret } {
    try {
      const parts = this.#parse(text, context);
      const value = decrypt(
        createSecretKey(parts.dataKey),
        parts.sealed,
        associatedData(parts.version, context),
      );
      return { ...parts, secret: new Secret(value.toString('utf8')) };
    } catch (error) {
      throw error instanceof UnsealError ? error : new UnsealError(error);
    }
  }

  #parse(text: string, context: SealContext): Parts {
    if (text.startsWith('v1.')) return this.#parseV1(text, context);
    const [version, id = '', wrapped = '', sealed = '', ...rest] = text.split('.');
    const masterKey = this.#masterKeys.find(id);
    if (version !== VERSION || masterKey === undefined || rest.length > 0) {
      throw new UnsealError();
    }
    return { version, dataKey: decrypt(masterKey.key, wrapped, wrappingData(id)), sealed };
  }

  /** Its data key authenticates the context too, and says of no master key that it wrapped it. */
  #parseV1(text: string, context: SealContext): Parts {
    const [version = '', wrapped = '', sealed = '', ...rest] = text.split('.');
    if (rest.length > 0) throw new UnsealError();
    for (const { key } of this.#masterKeys.all) {
      try {
        const dataKey = decrypt(key, wrapped, associatedData(version, context));
        return { version, dataKey, sealed };
      } catch {
        // Another one of the ring may open it.
      }
    }
    throw new UnsealError();
  }
}

interface Parts {
  version: string;
  dataKey: Buffer;
  sealed: string;
}

/** JSON, because joined text would let one list of ids read like another. */
function associatedData(version: string, context: SealContext): Buffer {
  return Buffer.from(JSON.stringify([version, ...context]), 'utf8');
}

function wrappingData(masterKeyId: string): Buffer {
  return Buffer.from(`${VERSION}.${masterKeyId}`, 'utf8');
}

function encrypt(key: KeyObject, plain: Buffer, associated: Buffer): string {
  const nonce = pooledRandomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated);
  const encrypted = [cipher.update(plain), cipher.final()];
  return Buffer.concat([nonce, ...encrypted, cipher.getAuthTag()]).toString('base64url');
}

function decrypt(key: KeyObject, text: string, associated: Buffer): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associated);
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const encrypted = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
  return Buffer.concat([decipher.update(encrypted), decipher.final()]);
}
