import { Injectable } from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import { type OAuthConnection, OAuthConnections } from './connections/oauth-connections.ts';
import { ForgetTokens } from './grants/forget-tokens.ts';
import { type GrantRow, notAuthorized, stateOf } from './grants/grant.ts';
import { GrantEvents } from './grants/grant-events.ts';
import { revoked } from './grants/grant-lifecycle.ts';
import { GrantsRepository } from './grants/grants.repository.ts';
import { TellProvider } from './grants/tell-provider.ts';

/** Takes back what a connection may do: here at once, and at its provider if that can be told. */
@Injectable()
export class RevokeGrant {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: OAuthConnections,
    private readonly grants: GrantsRepository,
    private readonly telling: TellProvider,
    private readonly forgetting: ForgetTokens,
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
    const isTold =
      grant.told_at !== null ||
      (await this.telling.execute(connection, grant, grant.token_version));
    await this.forgetting.execute(connection, isTold ? grant.generation : undefined);
    return isTold;
  }

  /** First of all nobody gets the token any more, whatever the provider says. */
  private end(
    { tenant_id, subject }: Principal,
    name: string,
  ): Promise<{ connection: OAuthConnection; grant: GrantRow }> {
    return this.transaction.run(tenant_id, async (manager) => {
      const connection = await this.connections.findByName(manager, name);
      const grant = await this.grants.lock(manager, connection.connection_id);
      if (grant === undefined) {
        throw notAuthorized();
      }
      if (grant.status === 'revoked') {
        return { connection, grant };
      }
      const state = revoked(stateOf(grant), 'revoked_by_request');
      await this.grants.storeEnd(manager, connection.connection_id, state);
      await this.events.announce(manager, [connection]);
      await this.events.ended(manager, connection, { subject, state });
      return { connection, grant: { ...grant, generation: state.generation, told_at: null } };
    });
  }
}
