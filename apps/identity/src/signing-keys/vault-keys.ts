import { createPublicKey } from 'node:crypto';
import { createBreaker, retryTransient } from '@soma/kernel';
import { recordCircuitState } from '@soma/observability';
import { z } from 'zod';
import type { DatabaseKeys } from './database-keys.ts';
import { KeyBackend, type StoredKey } from './key-backend.ts';
import { publicKeyOf, type SigningKey } from './signing-key.ts';
import { type VaultOptions, VaultSession } from '@soma/secrets';

const TRIES = 3;

/** Which key of which Vault signs. */
export interface VaultKeysOptions extends VaultOptions {
  /** Where its Transit engine is mounted. */
  mount: string;
  /** The name of the key in it. Its versions are our keys. */
  key: string;
}

const transitKey = z.object({
  data: z.object({
    latest_version: z.int(),
    type: z.literal('ecdsa-p256'),
    exportable: z.literal(false),
    keys: z.record(z.string(), z.object({ public_key: z.string() })),
  }),
});

const signature = z.object({
  data: z.object({ signature: z.string().regex(/^vault:v\d+:[\w-]{86}$/) }),
});

/**
 * Lets the Transit engine of HashiCorp Vault sign: the private keys never leave it.
 *
 * Each of our keys is a version of one key there. The table says which version signs when, as Vault
 * itself would let a new version sign at once.
 */
export class VaultKeys extends KeyBackend {
  private readonly session: VaultSession;
  private readonly breaker = createBreaker({ name: 'vault', onState: recordCircuitState });

  constructor(
    private readonly options: VaultKeysOptions,
    private readonly database: DatabaseKeys,
  ) {
    super();
    this.session = new VaultSession(options);
  }

  override async create(kid: string): Promise<StoredKey> {
    const { mount, key } = this.options;
    // A key that is there stays as it is. Its first version may be one that was never stored.
    await this.request('POST', `${mount}/keys/${key}`, { type: 'ecdsa-p256', exportable: false });
    await this.request('POST', `${mount}/keys/${key}/rotate`, {});
    const { data } = transitKey.parse(await this.request('GET', `${mount}/keys/${key}`));
    const version = data.latest_version;
    const pem = data.keys[String(version)]?.public_key ?? '';
    return {
      kid,
      public_jwk: publicKeyOf(createPublicKey(pem), kid),
      sealed_jwk: null,
      vault_key: key,
      vault_version: version,
    };
  }

  override open(stored: StoredKey): Pick<SigningKey, 'publicKey' | 'sign'> {
    const { public_jwk, vault_key, vault_version } = stored;
    if (public_jwk === null || vault_key === null) {
      // Of before Vault: it signs until a key of Vault does.
      return this.database.open(stored);
    }
    return {
      publicKey: public_jwk,
      sign: (data) => this.sign(data, { key: vault_key, version: vault_version }),
    };
  }

  private async sign(
    data: Uint8Array,
    { key, version }: { key: string; version: number | null },
  ): Promise<Uint8Array> {
    const answer = await this.request('POST', `${this.options.mount}/sign/${key}/sha2-256`, {
      input: Buffer.from(data).toString('base64'),
      key_version: version,
      // r and s side by side, in base64url (RFC 7518 §3.4).
      marshaling_algorithm: 'jws',
    });
    const { data: signed } = signature.parse(answer);
    return Buffer.from(signed.signature.split(':')[2] ?? '', 'base64url');
  }

  private request(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    return this.breaker.execute(() =>
      retryTransient(() => this.session.request(method, path, body), { attempts: TRIES }),
    );
  }
}
