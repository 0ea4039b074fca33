import { Injectable, Logger } from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import { type OAuthConnection, OAuthConnections } from './connections/oauth-connections.ts';
import { connectionNotFound } from './flows/prepare-flow.ts';
import { type GrantRow, stateOf } from './grants/grant.ts';
import { GrantEvents } from './grants/grant-events.ts';
import { revoked } from './grants/grant-lifecycle.ts';
import { GrantsRepository } from './grants/grants.repository.ts';
import { TokenSecrets } from './grants/token-secrets.ts';
import { ProviderClient } from './protocol/provider-client.ts';
import { notAuthorized } from './read-status.ts';

/** Takes back what a connection may do: here at once, and at its provider if that can be told. */
@Injectable()
export class RevokeGrant {
  private readonly logger = new Logger(RevokeGrant.name);

  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: OAuthConnections,
    private readonly grants: GrantsRepository,
    private readonly secrets: TokenSecrets,
    private readonly provider: ProviderClient,
    private readonly events: GrantEvents,
  ) {}

  /**
   * A repeat tries to tell the provider again, if that failed.
   *
   * @returns Whether the provider knows.
   * @throws {@link Problem} 404 `connection_not_found`, 409 `connection_not_authorized`
   */
  async execute(principal: Principal, name: string): Promise<boolean> {
    const { connection, grant } = await this.end(principal, name);
    const told = await this.tellProvider(connection, grant);
    // Kept for a repeat where the provider did not listen, and for nothing else.
    if (told !== 'failed') {
      await this.secrets.forgetTokens(connection);
    }
    return told === 'told';
  }

  /** First of all nobody gets the token any more, whatever the provider says. */
  private end(
    { tenant_id, subject }: Principal,
    name: string,
  ): Promise<{ connection: OAuthConnection; grant: GrantRow }> {
    return this.transaction.run(tenant_id, async (manager) => {
      const connection = await this.connections.findByName(manager, name);
      if (connection === undefined) {
        throw connectionNotFound();
      }
      const grant = await this.grants.lock(manager, connection.connection_id);
      if (grant === undefined) {
        throw notAuthorized();
      }
      if (grant.status !== 'revoked') {
        const state = revoked(stateOf(grant), 'revoked_by_request');
        await this.grants.storeEnd(manager, connection.connection_id, state);
        await this.events.announce(manager, [{ connection }]);
        await this.events.revoked(manager, connection, subject);
      }
      return { connection, grant };
    });
  }

  /** RFC 7009: with the refresh token goes everything that came of it; a token alone goes by itself. */
  private async tellProvider(
    connection: OAuthConnection,
    grant: GrantRow,
  ): Promise<'told' | 'failed' | 'impossible'> {
    const { client, client_secret_version: ownVersion } = grant;
    const tokens = await this.secrets.read(connection, grant.token_version);
    if (client.revocation_endpoint === null || tokens === undefined) {
      return tokens === undefined ? 'told' : 'impossible';
    }
    const fieldVersion = connection.client_secret_version;
    try {
      const proven = await this.secrets.prove(connection, { client, ownVersion, fieldVersion });
      if (tokens.refreshToken !== undefined) {
        await this.provider.revoke(proven, tokens.refreshToken, 'refresh_token');
      }
      await this.provider.revoke(proven, tokens.accessToken, 'access_token');
      return 'told';
    } catch (error) {
      const message = 'A provider was not told that a grant is revoked.';
      this.logger.warn({ message, name: connection.name, error });
      return 'failed';
    }
  }
}
