import { Injectable } from '@nestjs/common';
import { Problem } from '@soma/kernel';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { ConnectionTypes } from '../../connection-types/connection-types.ts';
import { bindingOf } from '../../connections/bound-credentials.ts';

const connectionRow = z.object({
  tenant_id: z.string(),
  connection_id: z.string(),
  name: z.string(),
  type: z.string(),
  fields: z.record(z.string(), z.unknown()),
  client_secret_version: z.int().nullable(),
});
/** What authorisations need of a connection. */
export interface OAuthConnection extends z.output<typeof connectionRow> {
  /** What it is for: who is a client of something else is not its client. */
  bound_to: string | null;
}

const COLUMNS = `tenant_id, connection_id, name, type, fields,
  (credentials -> 'client_secret' ->> 'version')::integer AS client_secret_version`;

/** The connections behind authorisations. */
@Injectable()
export class OAuthConnections {
  constructor(private readonly types: ConnectionTypes) {}

  /** @throws {@link Problem} 404 `connection_not_found` */
  async findByName(manager: EntityManager, name: string): Promise<OAuthConnection> {
    const rows = await manager.query<unknown[]>(
      `SELECT ${COLUMNS} FROM catalog.connections WHERE name = $1`,
      [name],
    );
    const [connection] = rows.map((row) => this.toConnection(row));
    if (connection === undefined) {
      throw connectionNotFound();
    }
    return connection;
  }

  /** By their ids; those that are gone are missing. */
  async read(
    manager: EntityManager,
    ids: readonly string[],
  ): Promise<Map<string, OAuthConnection>> {
    const rows = await manager.query<unknown[]>(
      `SELECT ${COLUMNS} FROM catalog.connections WHERE connection_id = ANY ($1)`,
      [ids],
    );
    const connections = rows.map((row) => this.toConnection(row));
    return new Map(connections.map((each) => [each.connection_id, each]));
  }

  private toConnection(row: unknown): OAuthConnection {
    const connection = connectionRow.parse(row);
    const type = this.types.find(connection.type);
    return { ...connection, bound_to: type ? bindingOf(type, connection.fields) : null };
  }
}

/** The same for what is not there and for what is another tenant's. */
export function connectionNotFound(): Problem {
  return new Problem({
    status: 404,
    code: 'connection_not_found',
    detail: 'There is no connection with this name.',
  });
}
