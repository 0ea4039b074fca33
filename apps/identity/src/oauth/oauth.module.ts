import { type DynamicModule, Module } from '@nestjs/common';
import { ApiKeyExchangeModule } from '../api-keys/api-key-exchange.module.ts';
import { SigningKeys } from '../signing-keys/signing-keys.ts';
import { AuthorizationServer, CLIENTS, ISSUER, KEYS } from './authorization-server.ts';
import { ClientsTenants } from './clients-tenants.ts';
import { Interactions } from './interactions.ts';
import { OAuthController } from './oauth.controller.ts';
import { OidcRecords } from './oidc-records.ts';
import { PersonAccess } from './person-access.ts';
import { StepUpTokens } from './step-up-tokens.ts';
import { readClients } from './registered-clients.ts';

/** What the authorisation server needs to know. */
export interface OAuthOptions {
  /** The `iss` of every token: the address under which the outside world reaches this service. */
  issuer: string;
  clientsFile: string;
}

/** The OAuth 2.0 authorisation server and its keys. */
@Module({})
export class OAuthModule {
  static configure({ issuer, clientsFile }: OAuthOptions): DynamicModule {
    return {
      module: OAuthModule,
      global: true,
      imports: [ApiKeyExchangeModule],
      controllers: [OAuthController],
      providers: [
        SigningKeys,
        AuthorizationServer,
        ClientsTenants,
        Interactions,
        OidcRecords,
        PersonAccess,
        StepUpTokens,
        { provide: ISSUER, useValue: issuer },
        { provide: CLIENTS, useFactory: () => readClients(clientsFile) },
        {
          provide: KEYS,
          inject: [SigningKeys],
          useFactory: (signingKeys: SigningKeys) => signingKeys.load(),
        },
      ],
      exports: [Interactions, StepUpTokens],
    };
  }
}
