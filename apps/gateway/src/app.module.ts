import { type DynamicModule, Module } from '@nestjs/common';
import { AuthModule, authOptions, DenialReports, LimitsModule, RevocationFeed } from '@soma/auth';
import {
  AuditEvents,
  AuditEventsModule,
  AuditOutboxModule,
  ConfigUpdatesReader,
  ConfigUpdatesReaderModule,
  MessagingModule,
  Relay,
  RelayModule,
} from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { databaseUrl, PersistenceModule, RateLimits, RedisModule } from '@soma/persistence';
import { SessionOutbox, SessionsModule } from '@soma/sessions';
import { AccessModule } from './access/access.module.ts';
import { CapsulesModule } from './capsules/capsules.module.ts';
import { ForwardingModule } from './forwarding/forwarding.module.ts';
import type { GatewayConfig } from './gateway.config.ts';
import { MessagesModule } from './messages/messages.module.ts';
import { ModelsModule } from './models/models.module.ts';
import { PersonasModule } from './personas/personas.module.ts';
import { RuntimeModule } from './runtime/runtime.module.ts';
import { SessionsApiModule } from './sessions/sessions-api.module.ts';
import { StreamsModule } from './streams/streams.module.ts';

/** The whole service. */
@Module({})
export class AppModule {
  static configure(config: GatewayConfig): DynamicModule {
    const logger = createLogger({ service: 'gateway', level: config.LOG_LEVEL });
    return {
      module: AppModule,
      imports: [
        AuthModule.verify(authOptions(config, 'gateway')),
        // Global modules stop in the reverse order: the relay before what it needs for its last pass.
        PersistenceModule.connect({ url: databaseUrl(config), sweepRole: 'gateway_sweep' }),
        RedisModule.connect(config),
        MessagingModule.connect(config, { clientId: 'gateway', logger }),
        ConfigUpdatesReaderModule,
        RevocationFeed.from(ConfigUpdatesReader),
        AuditEventsModule.connect(config, logger),
        AuditOutboxModule.of('conversation'),
        DenialReports.to(AuditEvents),
        LimitsModule.of(config, RateLimits),
        SessionsModule.announceTo(Relay),
        RelayModule.of({ outbox: SessionOutbox, backlogLimit: config.OUTBOX_LIMIT, logger }),
        AccessModule,
        RuntimeModule.configure(config),
        MessagesModule,
        SessionsApiModule,
        StreamsModule,
        PersonasModule,
        CapsulesModule,
        ModelsModule,
        ForwardingModule,
      ],
    };
  }
}
