import { Injectable } from '@nestjs/common';
import { assertVersion, type Caller } from '@soma/auth';
import type { Connection, UpdateConnectionRequest } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { ConnectionTypes } from '../connection-types/connection-types.ts';
import { EndGrant, type UnboundGrant } from '../oauth/grants/end-grant.ts';
import { assertGivenAgain, reboundFields } from './bound-credentials.ts';
import { ConnectionChanges } from './connection-changes.ts';
import { changedFields, type CurrentFields, type FieldChange } from './connection-fields.ts';
import { type ConnectionRow, toConnection } from './connection-row.ts';
import { ConnectionsRepository } from './connections.repository.ts';
import { CredentialChanges, type WrittenAhead } from './credential-changes.ts';

/** What is to be changed of which connection. */
export interface ConnectionUpdate extends UpdateConnectionRequest {
  name: string;
}

/** Credentials that are about to be written, for a change that is still to commit. */
interface PlannedUpdate extends Pick<ConnectionRow, 'connection_id' | 'name'> {
  written: FieldChange['written'];
  /** The version of the connection that they are for. */
  seen: number;
}

type WrittenUpdate = WrittenAhead<PlannedUpdate>;

interface StoredUpdate {
  row: ConnectionRow;
  ended: UnboundGrant | undefined;
}

/** Changes fields of a connection, or exchanges one of its credentials. */
@Injectable()
export class UpdateConnection {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: ConnectionsRepository,
    private readonly types: ConnectionTypes,
    private readonly credentials: CredentialChanges,
    private readonly changes: ConnectionChanges,
    private readonly ending: EndGrant,
  ) {}

  /**
   * @throws {@link Problem} 400 `invalid_request`, 404 `connection_not_found`, 412
   *   `version_mismatch`, 422 `connection_type_gone` or `credentials_needed_again`
   */
  async execute(caller: Caller, update: ConnectionUpdate): Promise<Connection> {
    const { tenant_id } = caller.principal;
    const { row, ended } = await this.credentials.run(
      tenant_id,
      (manager) => this.plan(manager, caller, update),
      (written) =>
        this.transaction.run(tenant_id, (manager) =>
          this.store(manager, caller, { ...update, ...written }),
        ),
    );
    await (ended && this.ending.finish(ended));
    return toConnection(row, this.types.find(row.type));
  }

  private async plan(
    manager: EntityManager,
    caller: Caller,
    update: ConnectionUpdate,
  ): Promise<PlannedUpdate | undefined> {
    const current = await this.connections.find(manager, caller.principal.tenant_id, update.name);
    assertVersion(caller, current.version);
    const { written } = this.changeOf(current, update);
    const { connection_id, name, version } = current;
    return written.size > 0 ? { connection_id, name, written, seen: version } : undefined;
  }

  private async store(
    manager: EntityManager,
    caller: Caller,
    update: ConnectionUpdate & Partial<WrittenUpdate>,
  ): Promise<StoredUpdate> {
    const { row, change, ended } = await this.change(manager, caller, update);
    await this.changes.record(manager, {
      origin: caller.origin,
      tenantId: caller.principal.tenant_id,
      action: 'connection.updated',
      name: row.name,
      details: {
        version: row.version,
        // Names of fields alone.
        credentials_set: [...change.written.keys()].join(' '),
        credentials_removed: change.removed.join(' '),
      },
    });
    return { row, ended };
  }

  private changeOf(
    row: ConnectionRow,
    { fields: input = {} }: ConnectionUpdate,
  ): FieldChange & { isRebound: boolean } {
    const type = this.types.get(row.type);
    const current: CurrentFields = {
      plain: row.fields,
      set: new Set(Object.keys(row.credentials)),
    };
    const change = changedFields(type, current, input);
    const rebound = reboundFields(type, { before: row.fields, input }, change);
    assertGivenAgain(current, change, rebound);
    return { ...change, isRebound: rebound.length > 0 };
  }

  private async change(
    manager: EntityManager,
    caller: Caller,
    update: ConnectionUpdate & Partial<WrittenUpdate>,
  ): Promise<StoredUpdate & { change: FieldChange }> {
    const { tenant_id, subject } = caller.principal;
    const current = await this.connections.lock(manager, tenant_id, update.name);
    assertVersion(caller, current.version);
    // What was written ahead is of the connection as it was then.
    assertVersion({ ...caller, ifMatch: update.seen }, current.version);
    const change = this.changeOf(current, update);
    const { versions } = update;
    const { connection_id } = current;
    const ended = change.isRebound
      ? await this.ending.execute(manager, { connection_id, subject })
      : undefined;
    const row = await this.connections.update(manager, tenant_id, {
      connection_id,
      fields: { ...change.plain },
      credentials: await this.credentials.apply(
        manager,
        { tenant_id, ...current },
        { ...change, versions },
      ),
      rate_limit_rpm:
        update.rate_limit_rpm === undefined ? current.rate_limit_rpm : update.rate_limit_rpm,
    });
    await this.changes.announce(manager, tenant_id, row);
    return { row, change, ended };
  }
}
