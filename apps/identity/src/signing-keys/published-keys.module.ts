import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { Global, Injectable, Module } from '@nestjs/common';
import { OwnKeys } from '@soma/auth';
import { SigningKeys } from './signing-keys.ts';

/** The public parts of the signing keys. */
@Injectable()
class PublishedKeys extends OwnKeys {
  constructor(private readonly keys: SigningKeys) {
    super();
  }

  async publicKeys(): Promise<JsonWebKey[]> {
    const keys = await this.keys.load();
    return keys.map((key) => {
      const publicPart = createPublicKey({ key, format: 'jwk' }).export({ format: 'jwk' });
      return { ...publicPart, kid: key.kid, alg: key.alg, use: key.use };
    });
  }
}

/** Lets identity verify the tokens that it issued without asking itself over HTTP. */
@Global()
@Module({
  providers: [SigningKeys, { provide: OwnKeys, useClass: PublishedKeys }],
  exports: [OwnKeys],
})
export class PublishedKeysModule {}
