import { Global, Module } from '@nestjs/common';
import { CATALOG_CONFIG, type CatalogConfig } from '../catalog.config.ts';
import { ConnectionTypes } from '../connection-types/connection-types.ts';
import { readDeclaredTypes } from '../connection-types/declared-types.ts';
import { ChangeUsage } from './change-usage.ts';
import { ConnectionChanges } from './connection-changes.ts';
import { ConnectionUsages } from './connection-usages.ts';
import { ConnectionsController } from './connections.controller.ts';
import { ConnectionsRepository } from './connections.repository.ts';
import { CreateConnection } from './create-connection.ts';
import { CredentialChanges } from './credential-changes.ts';
import { CredentialsToForget } from './credentials-to-forget.ts';
import { DeleteConnection } from './delete-connection.ts';
import { ForgetCredentials } from './forget-credentials.ts';
import { InternalConnectionsController } from './internal-connections.controller.ts';
import { ReadConnections } from './read-connections.ts';
import { ResolveConnection } from './resolve-connection.ts';
import { RevealSecret } from './reveal-secret.ts';
import { UpdateConnection } from './update-connection.ts';

/** The accounts that tenants have connected. */
@Global()
@Module({
  controllers: [ConnectionsController, InternalConnectionsController],
  providers: [
    ChangeUsage,
    {
      provide: ConnectionTypes,
      inject: [CATALOG_CONFIG],
      useFactory: ({ INTEGRATIONS_CONNECTION_TYPES_DIR: folder }: CatalogConfig) =>
        new ConnectionTypes(readDeclaredTypes(folder).types),
    },
    ConnectionChanges,
    ConnectionUsages,
    ConnectionsRepository,
    CreateConnection,
    CredentialChanges,
    CredentialsToForget,
    DeleteConnection,
    ForgetCredentials,
    ReadConnections,
    ResolveConnection,
    RevealSecret,
    UpdateConnection,
  ],
  exports: [
    ConnectionChanges,
    ConnectionTypes,
    ConnectionUsages,
    ConnectionsRepository,
    CredentialChanges,
    ResolveConnection,
  ],
})
export class ConnectionsModule {}
