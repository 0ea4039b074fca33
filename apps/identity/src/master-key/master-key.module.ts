import { type DynamicModule, Module } from '@nestjs/common';
import type { Secret } from '@soma/kernel';
import { Envelope, KeyedHash } from '@soma/secrets';

/** What the master key of the service protects: secrets that are read again, and hashes of others. */
@Module({})
export class MasterKeyModule {
  static configure(masterKey: Secret): DynamicModule {
    return {
      module: MasterKeyModule,
      global: true,
      providers: [
        { provide: Envelope, useFactory: () => new Envelope(masterKey) },
        { provide: KeyedHash, useFactory: () => new KeyedHash(masterKey) },
      ],
      exports: [Envelope, KeyedHash],
    };
  }
}
