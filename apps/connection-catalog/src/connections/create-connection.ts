import { Inject, Injectable } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import type { Connection, CreateConnectionRequest } from '@soma/contracts';
import { newIdentifier, Problem } from '@soma/kernel';
import { IdempotentWrites } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { CATALOG_CONFIG, type CatalogConfig } from '../catalog.config.ts';
import type { ConnectionType } from '../connection-types/connection-type.ts';
import { ConnectionTypes } from '../connection-types/connection-types.ts';
import { ConnectionChanges } from './connection-changes.ts';
import { type FieldChange, newFields } from './connection-fields.ts';
import { type ConnectionRow, toConnection } from './connection-row.ts';
import { ConnectionsRepository } from './connections.repository.ts';
import { type CredentialChange, CredentialChanges } from './credential-changes.ts';

interface PlannedConnection extends CredentialChange, Pick<FieldChange, 'plain'> {
  connection_id: string;
}

/** Connects an account under a name that is the tenant's own. */
@Injectable()
export class CreateConnection {
  constructor(
    @Inject(CATALOG_CONFIG) private readonly config: CatalogConfig,
    private readonly writes: IdempotentWrites,
    private readonly connections: ConnectionsRepository,
    private readonly types: ConnectionTypes,
    private readonly credentials: CredentialChanges,
    private readonly changes: ConnectionChanges,
  ) {}

  /**
   * @throws {@link Problem} 400 `invalid_request`, 409 `connection_name_taken` or
   *   `connection_limit_reached`
   */
  async execute(caller: Caller, request: CreateConnectionRequest): Promise<Connection> {
    const type = this.typeOf(request);
    const { tenant_id } = caller.principal;
    const set = this.credentials.ofOperator(tenant_id, request.name, type);
    const change = newFields(type, request.fields, set);
    const plan = { connection_id: newIdentifier(), name: request.name, ...change };
    const write = { operation: 'POST /api/v1/connections', body: request };
    return this.credentials.run(
      tenant_id,
      async (manager) => {
        // A repeat, or what is refused: either way the transaction answers.
        const taken = await this.connections.lookUp(manager, tenant_id, plan.name);
        return taken === undefined ? plan : undefined;
      },
      (written) =>
        this.writes.run(caller, write, async (manager) => {
          const row = await this.create(manager, caller, { ...request, ...plan, ...written });
          await this.changes.record(manager, {
            origin: caller.origin,
            tenantId: tenant_id,
            action: 'connection.created',
            name: request.name,
            details: { type: type.name },
          });
          return toConnection(row, type);
        }),
    );
  }

  private async create(
    manager: EntityManager,
    { principal: { tenant_id, subject } }: Caller,
    { name, rate_limit_rpm, ...request }: CreateConnectionRequest & PlannedConnection,
  ): Promise<ConnectionRow> {
    const type = this.typeOf(request);
    await this.assertRoom(manager, tenant_id, type);
    if ((await this.connections.lookUp(manager, tenant_id, name)) !== undefined) {
      throw nameTaken(name);
    }
    const key = { connection_id: request.connection_id, name, credentials: {} };
    const row = await this.connections.insert(manager, tenant_id, {
      ...key,
      type: type.name,
      fields: { ...request.plain },
      credentials: await this.credentials.apply(manager, { tenant_id, ...key }, request),
      rate_limit_rpm,
      created_by: subject,
    });
    if (row === undefined) {
      throw nameTaken(name);
    }
    await this.changes.announce(manager, tenant_id, row);
    return row;
  }

  private typeOf({ type: name }: Pick<CreateConnectionRequest, 'type'>): ConnectionType {
    const type = this.types.find(name);
    if (type === undefined) {
      throw new Problem({
        status: 400,
        code: 'invalid_request',
        detail: `There are no connections of type "${name}". GET /api/v1/connections/types lists the types.`,
        fields: [{ path: 'type', message: 'must be a type that there is' }],
      });
    }
    return type;
  }

  private async assertRoom(
    manager: EntityManager,
    tenantId: string,
    type: ConnectionType,
  ): Promise<void> {
    const limit = this.config.INTEGRATIONS_CONNECTIONS_MAX_CONNECTIONS_PER_TYPE;
    if ((await this.connections.countForInsert(manager, tenantId, type.name)) >= limit) {
      throw new Problem({
        status: 409,
        code: 'connection_limit_reached',
        detail: `There are ${limit} connections of type "${type.name}" already, which is the limit. Delete one that is not needed.`,
      });
    }
  }
}

function nameTaken(name: string): Problem {
  return new Problem({
    status: 409,
    code: 'connection_name_taken',
    detail: `A connection named "${name}" already exists. Choose another name or update it.`,
  });
}
