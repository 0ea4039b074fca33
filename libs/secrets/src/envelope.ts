/*
 * Envelope encryption of single values.
 *
 * Every value has a data key of its own, and the data key is stored beside it, wrapped by the
 * master key. So the master key encrypts nothing but short random keys, and replacing it will mean
 * wrapping them again without touching a value.
 *
 * Both layers are AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. Both authenticate the
 * same context: what the value is for and whose it is. A sealed value that is copied to another row
 * does not open there. The format's version is part of the context, so that no later version can be
 * talked into reading a value as an earlier one.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Secret } from '@soma/kernel';

const ALGORITHM = 'aes-256-gcm';
const VERSION = 'v1';
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

/** Seals secrets for storage, and opens them again. */
export class Envelope {
  readonly #masterKey: Buffer;

  /** @param masterKey - 32 bytes in base64, as `masterKeySetting` checks. */
  constructor(masterKey: Secret) {
    this.#masterKey = decodeMasterKey(masterKey);
  }

  /** Encrypts a secret into text that only the same context opens. */
  seal(secret: Secret, context: SealContext): string {
    const dataKey = randomBytes(KEY_BYTES);
    const wrappedKey = encrypt(this.#masterKey, dataKey, associatedData(context));
    const value = Buffer.from(secret.reveal(), 'utf8');
    const sealed = encrypt(dataKey, value, associatedData(context));
    return [VERSION, wrappedKey, sealed].join('.');
  }

  /** @throws {@link UnsealError} when the text was not sealed by {@link seal} for this context. */
  open(sealedText: string, context: SealContext): Secret {
    const [version, wrappedKey, sealed, ...rest] = sealedText.split('.');
    if (
      version !== VERSION ||
      wrappedKey === undefined ||
      sealed === undefined ||
      rest.length > 0
    ) {
      throw new UnsealError();
    }
    try {
      const dataKey = decrypt(this.#masterKey, wrappedKey, associatedData(context));
      const value = decrypt(dataKey, sealed, associatedData(context));
      return new Secret(value.toString('utf8'));
    } catch (error) {
      throw new UnsealError(error);
    }
  }
}

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

/** JSON, because joined text would let one list of ids read like another. */
function associatedData(context: SealContext): Buffer {
  return Buffer.from(JSON.stringify([VERSION, ...context]), 'utf8');
}

function encrypt(key: Buffer, plain: Buffer, associated: Buffer): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated);
  const encrypted = [cipher.update(plain), cipher.final()];
  return Buffer.concat([nonce, ...encrypted, cipher.getAuthTag()]).toString('base64url');
}

function decrypt(key: Buffer, text: string, associated: Buffer): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associated);
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const encrypted = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
  return Buffer.concat([decipher.update(encrypted), decipher.final()]);
}
