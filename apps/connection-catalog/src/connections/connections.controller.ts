import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  Param,
  Patch,
  Post,
  Query,
  UseInterceptors,
} from '@nestjs/common';
import {
  Access,
  type Caller,
  CurrentCaller,
  CurrentPrincipal,
  idempotencyHeader,
  ifMatchHeader,
  StepUp,
} from '@soma/auth';
import {
  connection,
  type Connection,
  connectionDetails,
  type ConnectionDetails,
  connectionList,
  type ConnectionList,
  connectionListQuery,
  type ConnectionListQuery,
  connectionName,
  connectionTypeList,
  type ConnectionTypeList,
  createConnectionRequest,
  type CreateConnectionRequest,
  deleteConnectionQuery,
  type DeleteConnectionQuery,
  type Principal,
  revealedSecret,
  type RevealedSecret,
  updateConnectionRequest,
  type UpdateConnectionRequest,
} from '@soma/contracts';
import { Operation } from '@soma/http';
import { FaultInterceptor } from '@soma/persistence';
import { ConnectionTypes } from '../connection-types/connection-types.ts';
import { EntityTagInterceptor } from '../runtime/entity-tag.interceptor.ts';
import { CreateConnection } from './create-connection.ts';
import { DeleteConnection } from './delete-connection.ts';
import { ReadConnections } from './read-connections.ts';
import { RevealSecret } from './reveal-secret.ts';
import { UpdateConnection } from './update-connection.ts';

const unavailable = { 503: ['database_unavailable'] };
const missing = { 404: ['connection_not_found'] };
const example = {
  name: 'our-github',
  type: 'github',
  fields: { token: 'github_pat_…' },
};

@Controller('api/v1/connections')
@UseInterceptors(FaultInterceptor, EntityTagInterceptor)
export class ConnectionsController {
  constructor(
    private readonly types: ConnectionTypes,
    private readonly read: ReadConnections,
    private readonly createConnection: CreateConnection,
    private readonly updateConnection: UpdateConnection,
    private readonly deleteConnection: DeleteConnection,
    private readonly revealSecret: RevealSecret,
  ) {}

  @Get('types')
  @Access({ scope: 'connections:read', resource: 'connection' })
  @Operation({
    summary: 'List the types of connections',
    description: 'Each with the JSON Schema of its fields, from which a form can be built.',
    answer: connectionTypeList,
  })
  listTypes(): ConnectionTypeList {
    return this.types.describe();
  }

  @Get()
  @Access({ scope: 'connections:read', resource: 'connection' })
  @Operation({ summary: 'List connections', answer: connectionList, problems: unavailable })
  list(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Query({ schema: connectionListQuery }) query: ConnectionListQuery,
  ): Promise<ConnectionList> {
    return this.read.list(tenant_id, query);
  }

  @Post()
  @Access({ scope: 'connections:write', resource: 'connection' })
  @Operation({
    summary: 'Connect an account',
    description: 'Credentials are kept sealed. No answer shows them.',
    headers: idempotencyHeader,
    bodyExample: example,
    answer: connection,
    problems: {
      409: ['connection_name_taken', 'connection_limit_reached', 'idempotency_conflict'],
      ...unavailable,
    },
  })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: createConnectionRequest }) request: CreateConnectionRequest,
  ): Promise<Connection> {
    return this.createConnection.execute(caller, request);
  }

  @Get(':name')
  @Access({ scope: 'connections:read', resource: 'connection', id: 'params.name' })
  @Operation({
    summary: 'Look a connection up',
    description: 'With which credentials are set, and what uses it. Never with their values.',
    answer: connectionDetails,
    problems: { ...missing, ...unavailable },
  })
  find(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Param('name', { schema: connectionName }) name: string,
  ): Promise<ConnectionDetails> {
    return this.read.find(tenant_id, name);
  }

  @Patch(':name')
  @Access({ scope: 'connections:write', resource: 'connection', id: 'params.name' })
  @Operation({
    summary: 'Change a connection',
    description:
      'What is absent stays as it is; null is removed. So one credential can be exchanged alone. ' +
      'Whoever changes what the credentials are for (`binds_credentials`) gives all of them again.',
    headers: ifMatchHeader,
    bodyExample: { fields: { token: 'github_pat_…', api_url: null } },
    answer: connection,
    problems: {
      ...missing,
      412: ['version_mismatch'],
      422: ['connection_type_gone', 'credentials_needed_again'],
      ...unavailable,
    },
  })
  update(
    @CurrentCaller() caller: Caller,
    @Param('name', { schema: connectionName }) name: string,
    @Body({ schema: updateConnectionRequest }) request: UpdateConnectionRequest,
  ): Promise<Connection> {
    return this.updateConnection.execute(caller, { name, ...request });
  }

  @Delete(':name')
  @HttpCode(204)
  @Access({ scope: 'connections:write', resource: 'connection', id: 'params.name' })
  @Operation({
    summary: 'Delete a connection',
    description: 'With its credentials. It is refused while something depends on it.',
    headers: ifMatchHeader,
    problems: {
      ...missing,
      409: ['connection_in_use'],
      412: ['version_mismatch'],
      ...unavailable,
    },
  })
  remove(
    @CurrentCaller() caller: Caller,
    @Param('name', { schema: connectionName }) name: string,
    @Query({ schema: deleteConnectionQuery }) { force }: DeleteConnectionQuery,
  ): Promise<void> {
    return this.deleteConnection.execute(caller, { name, force });
  }

  @Get(':name/secrets/:field')
  @Header('cache-control', 'no-store')
  @Access({ scope: 'connections:reveal', resource: 'connection', id: 'params.name' })
  @StepUp()
  @Operation({
    summary: 'Show a credential',
    description:
      'For who has just proved a second factor; it is noted in the audit log. Whatever the reason is, ' +
      'a refusal is the same 404 after the same time.',
    answer: revealedSecret,
    problems: { 401: ['step_up_required'], 404: ['secret_not_found'] },
  })
  reveal(
    @CurrentCaller() caller: Caller,
    @Param('name') name: string,
    @Param('field') field: string,
  ): Promise<RevealedSecret> {
    return this.revealSecret.execute(caller, { name, field });
  }
}
