import { type DynamicModule, Module } from '@nestjs/common';
import { AuthModule, authOptions, RevocationFeed } from '@soma/auth';
import { ConnectionsModule } from '@soma/connections';
import { OutboundModule } from '@soma/http';
import {
  ConfigUpdatesReader,
  ConfigUpdatesReaderModule,
  MessagingModule,
  Relay,
  RelayModule,
} from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { databaseUrl, PersistenceModule } from '@soma/persistence';
import { SessionOutbox, SessionsModule } from '@soma/sessions';
import { HealthModule } from './health/health.module.ts';
import type { OfferedTool } from './tools/offered-tools.ts';
import { TurnsModule } from './turns/turns.module.ts';
import type { WorkerConfig } from './worker.config.ts';

const NAME = 'conversation-worker';

/** The whole service. */
@Module({})
export class AppModule {
  /** @param tools - What models are offered: nothing, until a service runs tools. */
  static configure(config: WorkerConfig, tools: readonly OfferedTool[] = []): DynamicModule {
    const logger = createLogger({ service: NAME, level: config.LOG_LEVEL });
    return {
      module: AppModule,
      imports: [
        AuthModule.verify(authOptions(config, NAME)),
        PersistenceModule.connect({
          url: databaseUrl(config),
          sweepRole: 'conversation_worker_sweep',
        }),
        MessagingModule.connect(config, { clientId: NAME, logger }),
        ConfigUpdatesReaderModule,
        RevocationFeed.from(ConfigUpdatesReader),
        RelayModule.of({ outbox: SessionOutbox, logger, backlogLimit: config.OUTBOX_LIMIT }),
        SessionsModule.announceTo(Relay),
        ConnectionsModule.connect(config, NAME, ConfigUpdatesReader),
        OutboundModule.configure(config),
        TurnsModule.configure(config, tools),
        HealthModule,
      ],
    };
  }
}
