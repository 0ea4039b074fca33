import { type DynamicModule, Module, type Provider, type Type } from '@nestjs/common';
import { ServiceTokens } from '@soma/auth';
import type { ConfigUpdate } from '@soma/contracts';
import { secretSetting } from '@soma/kernel';
import { z } from 'zod';
import { CatalogClient } from './catalog-client.ts';
import { ConnectionLeases } from './connection-leases.ts';
import { ConnectionLimits } from './connection-limits.ts';

/** The settings of a service that uses connections; spread them into its schema. */
export const connectionSettings = {
  CONNECTION_CATALOG_URL: z
    .url('must be a URL')
    .default('http://localhost:8013')
    .describe('Where the connection catalog is reached.'),
  SERVICE_TOKEN_URL: z
    .url('must be a URL')
    .default('http://localhost:8080/oauth/token')
    .describe('Where the service gets the tokens that it shows to other services.'),
  SERVICE_CLIENT_ID: z
    .string()
    .optional()
    .describe('The client that the service is there. Default: its own name.'),
  SERVICE_CLIENT_SECRET: secretSetting
    .optional()
    .describe('The secret of that client. Unset: the service uses no connections.'),
};

/** The values of {@link connectionSettings}. */
export type ConnectionsConfig = z.output<z.ZodObject<typeof connectionSettings>>;

/** What tells of changes, as `ConfigUpdatesReader` does. */
interface Updates {
  listen: (listener: (update: ConfigUpdate) => void) => void;
}

/** Lets a service use the connections of its callers' tenants. */
@Module({})
export class ConnectionsModule {
  /**
   * @param service - The name of the service.
   * @param updates - A provider of a global module.
   */
  static connect(
    config: ConnectionsConfig,
    service: string,
    updates: Type<Updates>,
  ): DynamicModule {
    const { SERVICE_CLIENT_SECRET: clientSecret, SERVICE_CLIENT_ID: clientId = service } = config;
    const { SERVICE_TOKEN_URL: tokenUrl, CONNECTION_CATALOG_URL: url } = config;
    return {
      module: ConnectionsModule,
      global: true,
      providers: [
        {
          provide: CatalogClient,
          useFactory: () =>
            clientSecret === undefined
              ? null
              : new CatalogClient(url, new ServiceTokens({ tokenUrl, clientId, clientSecret })),
        },
        ...clientProviders(updates),
      ],
      exports: [CatalogClient, ConnectionLeases, ConnectionLimits],
    };
  }
}

/** Null where there is no client. */
function clientProviders(updates: Type<Updates>): Provider[] {
  return [
    {
      provide: ConnectionLeases,
      inject: [CatalogClient, updates],
      useFactory: (client: CatalogClient | null, feed: Updates) =>
        client && new ConnectionLeases(client, feed),
    },
    {
      provide: ConnectionLimits,
      inject: [CatalogClient],
      useFactory: (client: CatalogClient | null) => client && new ConnectionLimits(client),
    },
  ];
}
