import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isoCBOR } from '@simplewebauthn/server/helpers';

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const MAY_BE_SYNCED = 0x08;
const HAS_CREDENTIAL = 0x40;

/** Someone's answer to a challenge, as `PublicKeyCredential.toJSON()` gives it. */
export interface CredentialJson {
  id: string;
  rawId: string;
  type: 'public-key';
  clientExtensionResults: object;
  response: Record<string, unknown>;
}

export interface AuthenticatorOptions {
  /** The page that asks. A browser writes it into what is signed. */
  origin: string;
  isUserVerified?: boolean;
  isSynced?: boolean;
}

/** An authenticator in software: it makes one P-256 key and counts its uses (WebAuthn §6). */
export class SoftwareAuthenticator {
  private readonly keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly id = randomBytes(32).toString('base64url');
  private readonly options: AuthenticatorOptions;
  counter = 0;

  // No parameter property: programs load this file as it is, and Node only strips types.
  constructor(options: AuthenticatorOptions) {
    this.options = options;
  }

  /** `navigator.credentials.create` */
  create(challenge: string): CredentialJson {
    const { x = '', y = '' } = this.keys.publicKey.export({ format: 'jwk' });
    const id = Buffer.from(this.id, 'base64url');
    // RFC 9053 §7.1: an elliptic key (2) for ES256 (-7) on P-256 (1).
    const key = new Map<number, number | Uint8Array>([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, bytes(x)],
      [-3, bytes(y)],
    ]);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(id.length);
    const credential = Buffer.concat([Buffer.alloc(16), length, id, isoCBOR.encode(key)]);
    const authData = this.authenticatorData(HAS_CREDENTIAL, credential);
    const attestation = new Map<string, string | Map<string, string> | Uint8Array>([
      ['fmt', 'none'],
      ['attStmt', new Map<string, string>()],
      ['authData', new Uint8Array(authData)],
    ]);
    return this.credential({
      clientDataJSON: this.clientData('webauthn.create', challenge).toString('base64url'),
      attestationObject: Buffer.from(isoCBOR.encode(attestation)).toString('base64url'),
      transports: ['internal'],
    });
  }

  /** `navigator.credentials.get` */
  get(challenge: string): CredentialJson {
    this.counter += 1;
    const clientData = this.clientData('webauthn.get', challenge);
    const authData = this.authenticatorData(0);
    const signed = Buffer.concat([authData, createHash('sha256').update(clientData).digest()]);
    return this.credential({
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: authData.toString('base64url'),
      signature: sign('sha256', signed, this.keys.privateKey).toString('base64url'),
    });
  }

  private credential(response: Record<string, unknown>): CredentialJson {
    const { id } = this;
    return { id, rawId: id, type: 'public-key', clientExtensionResults: {}, response };
  }

  private clientData(type: string, challenge: string): Buffer {
    const { origin } = this.options;
    return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  }

  private authenticatorData(flags: number, credential: Buffer = Buffer.alloc(0)): Buffer {
    const { origin, isUserVerified = true, isSynced = false } = this.options;
    const host = createHash('sha256').update(new URL(origin).hostname).digest();
    const all =
      flags | USER_PRESENT | (isUserVerified ? USER_VERIFIED : 0) | (isSynced ? MAY_BE_SYNCED : 0);
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(this.counter);
    return Buffer.concat([host, Buffer.from([all]), counter, credential]);
  }
}

function bytes(base64url: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(base64url, 'base64url'));
}
