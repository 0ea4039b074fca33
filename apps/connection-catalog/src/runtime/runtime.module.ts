import { type DynamicModule, Module } from '@nestjs/common';
import { HealthChecks } from '@soma/http';
import { DatabaseProbe } from '@soma/persistence';
import { CATALOG_CONFIG, type CatalogConfig } from '../catalog.config.ts';

/** What every feature needs: the settings, and what the service's health depends on. */
@Module({})
export class RuntimeModule {
  constructor(health: HealthChecks, database: DatabaseProbe) {
    health.add({ name: 'postgres', required: true, check: () => database.check() });
  }

  static configure(config: CatalogConfig): DynamicModule {
    return {
      module: RuntimeModule,
      global: true,
      providers: [{ provide: CATALOG_CONFIG, useValue: config }],
      exports: [CATALOG_CONFIG],
    };
  }
}
