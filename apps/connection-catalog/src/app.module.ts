import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { AuthModule, authOptions, DenialReports, LimitsModule, RevocationFeed } from '@soma/auth';
import { OutboundModule } from '@soma/http';
import {
  AuditEvents,
  AuditEventsModule,
  AuditOutboxModule,
  ConfigUpdatesModule,
  ConfigUpdatesReader,
  ConfigUpdatesReaderModule,
  MessagingModule,
} from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { databaseUrl, PersistenceModule, RateLimits, RedisModule } from '@soma/persistence';
import type { CatalogConfig } from './catalog.config.ts';
import { ConnectionsModule } from './connections/connections.module.ts';
import { HealthModule } from './health/health.module.ts';
import { McpModule } from './mcp/mcp.module.ts';
import { OAuthModule } from './oauth/oauth.module.ts';
import { PermitsModule } from './permits/permits.module.ts';
import { DisabledModule } from './runtime/disabled.module.ts';
import { RuntimeModule } from './runtime/runtime.module.ts';
import { SecretsModule } from './secrets/secrets.module.ts';
import { TunnelModule } from './tunnel/tunnel.module.ts';

const NAME = 'connection-catalog';

/** The whole service. */
@Module({})
export class AppModule {
  static configure(config: CatalogConfig): DynamicModule {
    const logger = createLogger({ service: NAME, level: config.LOG_LEVEL });
    return {
      module: AppModule,
      imports: [
        DisabledModule.unless(config.INTEGRATIONS_ENABLED),
        // Partners reach it through the gateway, with the gateway's tokens; services with its own.
        AuthModule.verify({ ...authOptions(config, 'gateway'), internalAudience: NAME }),
        PersistenceModule.connect({
          url: databaseUrl(config),
          sweepRole: 'connection_catalog_sweep',
        }),
        RedisModule.connect(config),
        MessagingModule.connect(config, { clientId: NAME, logger }),
        ConfigUpdatesReaderModule,
        RevocationFeed.from(ConfigUpdatesReader),
        AuditEventsModule.connect(config, logger),
        DenialReports.to(AuditEvents),
        AuditOutboxModule.of('catalog'),
        LimitsModule.of(config, RateLimits),
        OutboundModule.configure(config),
        RuntimeModule.configure(config),
        ConfigUpdatesModule.of('catalog'),
        SecretsModule.configure(config),
        ...features(config),
      ],
    };
  }
}

function features(config: CatalogConfig): (DynamicModule | Type)[] {
  return [
    ConnectionsModule,
    OAuthModule.configure(config),
    McpModule.configure(config),
    HealthModule,
    PermitsModule,
    TunnelModule.configure(config),
  ];
}
