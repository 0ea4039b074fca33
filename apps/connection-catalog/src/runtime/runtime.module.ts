import { type DynamicModule, Module } from '@nestjs/common';
import { HealthChecks } from '@soma/http';
import { KafkaConnection } from '@soma/messaging';
import {
  DatabaseProbe,
  IdempotencyRetention,
  IdempotentWrites,
  RedisConnection,
  SweepTransaction,
  TenantTransaction,
} from '@soma/persistence';
import { Envelope, KeyedHash } from '@soma/secrets';
import { CATALOG_CONFIG, type CatalogConfig } from '../catalog.config.ts';
import { masterKeysOf } from '../secrets/secret-settings.ts';

/** What every feature needs: the settings, and what the service's health depends on. */
@Module({})
export class RuntimeModule {
  constructor(
    health: HealthChecks,
    database: DatabaseProbe,
    redis: RedisConnection,
    kafka: KafkaConnection,
  ) {
    health.add({ name: 'postgres', required: true, check: () => database.check() });
    health.add({ name: 'redis', required: false, check: () => redis.check() });
    health.add({ name: 'kafka', required: false, check: () => kafka.check() });
  }

  static configure(config: CatalogConfig): DynamicModule {
    return {
      module: RuntimeModule,
      global: true,
      providers: [
        { provide: CATALOG_CONFIG, useValue: config },
        {
          provide: IdempotentWrites,
          inject: [TenantTransaction, Envelope],
          useFactory: (transaction: TenantTransaction, seal: Envelope) => {
            const bodies = new KeyedHash(masterKeysOf(config).current);
            return new IdempotentWrites({ schema: 'catalog', transaction, seal, bodies });
          },
        },
        {
          provide: IdempotencyRetention,
          inject: [SweepTransaction],
          useFactory: (sweep: SweepTransaction) => new IdempotencyRetention('catalog', sweep),
        },
      ],
      exports: [CATALOG_CONFIG, IdempotentWrites],
    };
  }
}
