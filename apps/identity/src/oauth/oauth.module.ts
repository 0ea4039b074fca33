import { type DynamicModule, Module } from '@nestjs/common';
import Provider from 'oidc-provider';
import { SigningKeys } from '../signing-keys/signing-keys.ts';
import { createProvider } from './create-provider.ts';
import { OAuthController } from './oauth.controller.ts';
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
        {
          provide: Provider,
          inject: [SigningKeys],
          useFactory: async (signingKeys: SigningKeys) =>
            createProvider({
              issuer,
              keys: await signingKeys.load(),
              clients: await readClients(clientsFile),
            }),
        },
      ],
    };
  }
}
