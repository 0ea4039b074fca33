import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { AuthModule, authOptions, DenialReports, LimitsModule, RevocationFeed } from '@soma/auth';
import { HealthChecks } from '@soma/http';
import {
  AuditEvents,
  AuditEventsModule,
  ConfigUpdatesModule,
  ConfigUpdatesReader,
  ConfigUpdatesReaderModule,
  KafkaConnection,
  MessagingModule,
} from '@soma/messaging';
import { createLogger, type Logger } from '@soma/observability';
import {
  DatabaseProbe,
  databaseUrl,
  PersistenceModule,
  RateLimits,
  RedisConnection,
  RedisModule,
} from '@soma/persistence';
import { ApiKeysModule } from './api-keys/api-keys.module.ts';
import { AuditModule } from './audit/audit.module.ts';
import { HeadExportModule } from './audit/head-export.module.ts';
import type { IdentityConfig } from './identity.config.ts';
import { MasterKeyModule } from './master-key/master-key.module.ts';
import { OAuthModule } from './oauth/oauth.module.ts';
import { PolicyBundleModule } from './policy-bundle/policy-bundle.module.ts';
import { PolicyChangesModule } from './policy-bundle/policy-changes.module.ts';
import { RuntimeModule } from './runtime/runtime.module.ts';
import { SecondFactorsModule } from './second-factors/second-factors.module.ts';
import { vaultOptions } from './signing-keys/signing-keys.config.ts';
import { SigningKeysModule } from './signing-keys/signing-keys.module.ts';
import {
  PROVIDER_ENDPOINTS,
  type ProviderEndpoints,
} from './sign-in/providers/provider-endpoints.ts';
import { SignInModule } from './sign-in/sign-in.module.ts';
import { TenancyApiModule } from './tenancy/tenancy-api.module.ts';
import { TenancyModule } from './tenancy/tenancy.module.ts';

/** The whole service. */
@Module({})
export class AppModule {
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

  /** @param endpoints - Where the providers are that people sign in with. */
  static configure(config: IdentityConfig, endpoints = PROVIDER_ENDPOINTS): DynamicModule {
    const logger = createLogger({ service: 'identity', level: config.LOG_LEVEL });
    return {
      module: AppModule,
      imports: [
        // Its address for partners is the gateway's, so its tokens are those of the gateway.
        AuthModule.verify(authOptions(config, 'gateway')),
        SigningKeysModule.configure(vaultOptions(config)),
        MasterKeyModule.configure(config.SOMA_MASTER_KEY),
        PersistenceModule.connect({ url: databaseUrl(config), sweepRole: 'identity_sweep' }),
        RedisModule.connect(config),
        MessagingModule.connect(config, { clientId: 'identity', logger }),
        LimitsModule.of(config, RateLimits),
        ...auditing(config, logger),
        RuntimeModule,
        ConfigUpdatesModule.of('identity'),
        ConfigUpdatesReaderModule,
        RevocationFeed.from(ConfigUpdatesReader),
        TenancyModule,
        ApiKeysModule,
        TenancyApiModule,
        PolicyBundleModule.configure(config.POLICY_BUNDLE_FILE),
        OAuthModule.configure({
          issuer: config.IDENTITY_ISSUER,
          apiBaseUrl: config.API_BASE_URL ?? config.IDENTITY_ISSUER,
          clientsFile: config.IDENTITY_CLIENTS_FILE,
        }),
        ...signInModules(config, endpoints),
      ],
    };
  }
}

/** The audit log, and the ways by which it is written and kept. */
function auditing(config: IdentityConfig, logger: Logger): (DynamicModule | Type)[] {
  return [
    AuditEventsModule.connect(config, logger),
    DenialReports.to(AuditEvents),
    AuditModule.configure(config.IDENTITY_OPERATOR_TENANT),
    HeadExportModule.to(config.AUDIT_HEADS_FILE),
    PolicyChangesModule.of(config.POLICY_BUNDLE_FILE),
  ];
}

/** How people sign in. They do it at the issuer's own address, where its cookies are. */
function signInModules(config: IdentityConfig, endpoints: ProviderEndpoints): DynamicModule[] {
  const publicUrl = config.IDENTITY_ISSUER;
  return [
    SecondFactorsModule.configure(publicUrl),
    SignInModule.configure({ settings: config, endpoints, publicUrl }),
  ];
}
