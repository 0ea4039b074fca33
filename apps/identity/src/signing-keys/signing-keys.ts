import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { newIdentifier, Secret } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import { Envelope, type SealContext } from '@soma/secrets';
import type { EntityManager } from 'typeorm';

/** A private key in the form that oidc-provider takes. */
export type SigningKey = JsonWebKey & { kid: string; alg: 'ES256'; use: 'sig' };

interface Row {
  kid: string;
  sealed_jwk: string;
}

/**
 * The keys that sign access tokens, in `identity.signing_keys`.
 *
 * Every pod signs with the same newest key. The first pod that starts on an empty table makes it;
 * the others wait for that pod's transaction and read what it made.
 */
@Injectable()
export class SigningKeys {
  constructor(
    // Keys belong to no tenant, and no request asks for them.
    private readonly transaction: SweepTransaction,
    private readonly envelope: Envelope,
  ) {}

  /** All keys, the one that signs first. There is at least one. */
  load(): Promise<[SigningKey, ...SigningKey[]]> {
    return this.transaction.run(async (manager) => {
      // Held to the commit, so that two pods never both find the table empty.
      await manager.query(`SELECT pg_advisory_xact_lock(hashtext('identity.signing_keys'))`);
      const rows = await manager.query<Row[]>(
        `SELECT kid, sealed_jwk FROM identity.signing_keys ORDER BY created_at DESC, kid DESC`,
      );
      const [newest, ...older] = rows.map((row) => this.open(row));
      return newest === undefined ? [await this.create(manager)] : [newest, ...older];
    });
  }

  private open({ kid, sealed_jwk }: Row): SigningKey {
    // What the envelope opens is what `create` sealed: GCM lets nothing else through.
    return JSON.parse(this.envelope.open(sealed_jwk, contextOf(kid)).reveal()) as SigningKey;
  }

  private async create(manager: EntityManager): Promise<SigningKey> {
    const key = newSigningKey();
    const sealed = this.envelope.seal(new Secret(JSON.stringify(key)), contextOf(key.kid));
    await manager.query(
      `INSERT INTO identity.signing_keys (kid, sealed_jwk, signs_from)
       VALUES ($1, $2, clock_timestamp())`,
      [key.kid, sealed],
    );
    return key;
  }
}

function newSigningKey(): SigningKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = privateKey.export({ format: 'jwk' });
  return { ...jwk, kid: newIdentifier(), alg: 'ES256', use: 'sig' };
}

function contextOf(kid: string): SealContext {
  return ['identity.signing_keys', kid];
}
