import { type DynamicModule, Module } from '@nestjs/common';
import { BadCredentials, RateLimiter } from '@soma/auth';
import { ApiKeyExchangeModule } from '../api-keys/api-key-exchange.module.ts';
import { AuthorizationServer } from './authorization-server.ts';
import { BrowserSession } from './browser-session.ts';
import { BrowserSessionController } from './browser-session.controller.ts';
import { ClientsTenants } from './clients-tenants.ts';
import { Interactions } from './interactions.ts';
import { ProviderParts } from './create-provider.ts';
import { CLIENTS, OAUTH_OPTIONS, type OAuthOptions } from './oauth-options.ts';
import { OAuthController } from './oauth.controller.ts';
import { OidcRecords } from './oidc-records.ts';
import { OidcRetention } from './oidc-retention.ts';
import { PersonAccess } from './person-access.ts';
import { StepUpTokens } from './step-up-tokens.ts';
import { readClients } from './registered-clients.ts';
import { RevokedTokens } from './revoked-tokens.ts';
import { TokenAudit } from './token-audit.ts';
import { TokenContent } from './token-content.ts';

/** The OAuth 2.0 authorisation server and its keys. */
@Module({})
export class OAuthModule {
  static configure(options: OAuthOptions): DynamicModule {
    return {
      module: OAuthModule,
      global: true,
      imports: [ApiKeyExchangeModule],
      controllers: [BrowserSessionController, OAuthController],
      providers: [
        AuthorizationServer,
        BrowserSession,
        ClientsTenants,
        Interactions,
        OidcRecords,
        OidcRetention,
        PersonAccess,
        ProviderParts,
        StepUpTokens,
        RevokedTokens,
        TokenAudit,
        TokenContent,
        {
          provide: BadCredentials,
          inject: [RateLimiter],
          useFactory: (limiter: RateLimiter) => new BadCredentials(limiter),
        },
        { provide: OAUTH_OPTIONS, useValue: options },
        { provide: CLIENTS, useFactory: () => readClients(options.clientsFile) },
      ],
      exports: [Interactions, StepUpTokens],
    };
  }
}
