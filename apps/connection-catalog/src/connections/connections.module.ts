import { Global, Module } from '@nestjs/common';
import { ConnectionTypes } from '../connection-types/connection-types.ts';
import { ConnectionChanges } from './connection-changes.ts';
import { ConnectionUsages } from './connection-usages.ts';
import { ConnectionsController } from './connections.controller.ts';
import { ConnectionsRepository } from './connections.repository.ts';
import { CreateConnection } from './create-connection.ts';
import { DeleteConnection } from './delete-connection.ts';
import { ReadConnections } from './read-connections.ts';
import { UpdateConnection } from './update-connection.ts';

/** The accounts that tenants have connected. */
@Global()
@Module({
  controllers: [ConnectionsController],
  providers: [
    { provide: ConnectionTypes, useFactory: () => new ConnectionTypes() },
    ConnectionChanges,
    ConnectionUsages,
    ConnectionsRepository,
    CreateConnection,
    DeleteConnection,
    ReadConnections,
    UpdateConnection,
  ],
  exports: [ConnectionChanges, ConnectionTypes, ConnectionUsages, ConnectionsRepository],
})
export class ConnectionsModule {}
