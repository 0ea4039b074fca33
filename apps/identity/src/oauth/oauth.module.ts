import { type DynamicModule, Module } from '@nestjs/common';
import Provider from 'oidc-provider';
import { SigningKeys } from '../signing-keys/signing-keys.ts';
import { AuthorizationServer } from './authorization-server.ts';
import { createProvider } from './create-provider.ts';
import { Interactions } from './interactions.ts';
import { OAuthController } from './oauth.controller.ts';
import { OidcRecords } from './oidc-records.ts';
import { PersonAccess } from './person-access.ts';
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
      controllers: [OAuthController],
      providers: [
        SigningKeys,
        AuthorizationServer,
        Interactions,
        OidcRecords,
        PersonAccess,
        {
          provide: Provider,
          inject: [SigningKeys, OidcRecords, PersonAccess],
          useFactory: async (
            signingKeys: SigningKeys,
            records: OidcRecords,
            people: PersonAccess,
          ) =>
            createProvider({
              issuer,
              keys: await signingKeys.load(),
              clients: await readClients(clientsFile),
              records,
              people,
            }),
        },
      ],
      exports: [Interactions],
    };
  }
}
