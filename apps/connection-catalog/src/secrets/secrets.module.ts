import { type DynamicModule, Module } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import { EncryptedDatabase, Envelope } from '@soma/secrets';
import type { CatalogConfig } from '../catalog.config.ts';
import { ConnectionSecrets, SECRET_BACKEND } from './connection-secrets.ts';
import { StoredSecretRows } from './secret-rows.ts';

/** Keeps the credentials of connections. */
@Module({})
export class SecretsModule {
  static configure({ SOMA_MASTER_KEY: masterKey }: CatalogConfig): DynamicModule {
    return {
      module: SecretsModule,
      global: true,
      providers: [
        { provide: Envelope, useFactory: () => new Envelope(masterKey) },
        {
          provide: SECRET_BACKEND,
          inject: [TenantTransaction, Envelope],
          useFactory: (transaction: TenantTransaction, envelope: Envelope) =>
            new EncryptedDatabase(
              new StoredSecretRows((tenantId, work) => transaction.run(tenantId, work)),
              envelope,
            ),
        },
        ConnectionSecrets,
      ],
      exports: [ConnectionSecrets, Envelope],
    };
  }
}
