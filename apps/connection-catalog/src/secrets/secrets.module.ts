import { type DynamicModule, Module } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import { Envelope } from '@soma/secrets';
import { ConnectionSecrets, SECRET_BACKEND } from './connection-secrets.ts';
import { makeSecretBackend } from './make-secret-backend.ts';
import { masterKeysOf, type SecretConfig } from './secret-settings.ts';
import { SharedSecretRows } from './shared-secret-rows.ts';

/** Keeps the credentials of connections. */
@Module({})
export class SecretsModule {
  static configure(config: SecretConfig): DynamicModule {
    const { current, others } = masterKeysOf(config);
    return {
      module: SecretsModule,
      global: true,
      providers: [
        { provide: Envelope, useFactory: () => new Envelope(current, others) },
        {
          provide: SECRET_BACKEND,
          inject: [TenantTransaction, Envelope],
          useFactory: (transaction: TenantTransaction, envelope: Envelope) =>
            makeSecretBackend(config, new SharedSecretRows(transaction), envelope),
        },
        ConnectionSecrets,
      ],
      exports: [ConnectionSecrets, Envelope],
    };
  }
}
