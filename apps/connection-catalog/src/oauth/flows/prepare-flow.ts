import { Injectable } from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import { FindClient, type FoundClient } from '../connections/find-client.ts';
import { type OAuthConnection, OAuthConnections } from '../connections/oauth-connections.ts';
import type { GrantRow } from '../grants/grant.ts';
import { GrantsRepository } from '../grants/grants.repository.ts';
import { TokenSecrets } from '../grants/token-secrets.ts';
import { withProviderProblems } from '../protocol/provider-problem.ts';
import type { FlowStart } from './flow-start.ts';

/** Finds the connection that somebody wants to authorise, and how it speaks to its provider. */
@Injectable()
export class PrepareFlow {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: OAuthConnections,
    private readonly grants: GrantsRepository,
    private readonly clients: FindClient,
    private readonly secrets: TokenSecrets,
  ) {}

  /**
   * @param scopes - In place of those that the connection names.
   * @throws {@link Problem} 404 `connection_not_found`, 422, 502
   */
  async execute(
    { tenant_id, subject }: Principal,
    connectionName: string,
    scopes: string[] | undefined,
  ): Promise<FlowStart> {
    const { connection, grant } = await this.find(tenant_id, connectionName);
    const known = grant && isClientGone(grant) ? undefined : grant;
    const found = await withProviderProblems(() => this.clients.execute(connection, known?.client));
    return {
      connection,
      client: { ...found.client, ...(scopes && { scopes }) },
      clientSecretVersion: await this.secretVersion(connection, found, known),
      startedBy: subject,
    };
  }

  private find(
    tenantId: string,
    name: string,
  ): Promise<{ connection: OAuthConnection; grant: GrantRow | undefined }> {
    return this.transaction.run(tenantId, async (manager) => {
      const connection = await this.connections.findByName(manager, name);
      return { connection, grant: await this.grants.find(manager, connection.connection_id) };
    });
  }

  private async secretVersion(
    connection: OAuthConnection,
    { client, registration }: FoundClient,
    known: GrantRow | undefined,
  ): Promise<number | null> {
    if (registration === undefined) {
      return client.registered_for === null ? null : (known?.client_secret_version ?? null);
    }
    return registration.secret === undefined
      ? null
      : this.secrets.writeClientSecret(connection, registration.secret);
  }
}

/** With its grant a client may be gone at its provider; or the provider says that it is. */
function isClientGone({ status, reason }: GrantRow): boolean {
  return status === 'revoked' || reason === 'invalid_client';
}
