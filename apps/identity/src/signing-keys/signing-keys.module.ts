import type { JsonWebKey } from 'node:crypto';
import { type DynamicModule, Global, Injectable, Module } from '@nestjs/common';
import { KEYS_MAX_AGE_MS, OwnKeys } from '@soma/auth';
import { DatabaseKeys } from './database-keys.ts';
import { KeyBackend } from './key-backend.ts';
import { COPY_LIFE_MS, KeyRing } from './key-ring.ts';
import type { KeyLifetimes } from './key-schedule.ts';
import { KEY_LIFETIMES, SigningKeys } from './signing-keys.ts';
import { VaultKeys, type VaultKeysOptions } from './vault-keys.ts';

const SECOND_MS = 1_000;
/** Fifteen minutes, and the ten seconds by which the clocks of two machines may differ. */
const TOKEN_LIFE_MS = (15 * 60 + 10) * SECOND_MS;
const QUARTER_MS = 90 * 24 * 60 * 60 * SECOND_MS;

const LIFETIMES: KeyLifetimes = {
  // Services keep the published keys for so long, and a pod may publish a copy that is a little old.
  publishLeadMs: KEYS_MAX_AGE_MS + COPY_LIFE_MS,
  tokenLifeMs: TOKEN_LIFE_MS + COPY_LIFE_MS,
  rotateEveryMs: QUARTER_MS,
};

/** Lets identity verify the tokens that it issued without asking itself over HTTP. */
@Injectable()
class PublishedKeys extends OwnKeys {
  constructor(private readonly ring: KeyRing) {
    super();
  }

  publicKeys(): Promise<JsonWebKey[]> {
    return Promise.resolve(this.ring.now().published.map(({ publicKey }) => publicKey));
  }
}

/** The keys that sign access tokens. */
@Global()
@Module({})
export class SigningKeysModule {
  /** @param vault - Whose keys sign. Without it the database has them. */
  static configure(vault: VaultKeysOptions | undefined, lifetimes = LIFETIMES): DynamicModule {
    return {
      module: SigningKeysModule,
      providers: [
        { provide: KEY_LIFETIMES, useValue: lifetimes },
        DatabaseKeys,
        {
          provide: KeyBackend,
          inject: [DatabaseKeys],
          useFactory: (database: DatabaseKeys) =>
            vault === undefined ? database : new VaultKeys(vault, database),
        },
        SigningKeys,
        {
          provide: KeyRing,
          inject: [SigningKeys],
          useFactory: (keys: SigningKeys) => KeyRing.open(keys, lifetimes),
        },
        { provide: OwnKeys, useClass: PublishedKeys },
      ],
      exports: [KeyRing, OwnKeys],
    };
  }
}
