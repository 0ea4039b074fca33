import { Injectable } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import type { OAuthConnection } from '../connections/oauth-connections.ts';
import type { OAuthClient } from '../protocol/oauth-client.ts';
import type { GivenTokens } from '../protocol/provider-client.ts';
import type { GrantType } from './grant.ts';
import { GrantEvents } from './grant-events.ts';
import { granted } from './grant-lifecycle.ts';
import { GrantsRepository } from './grants.repository.ts';
import { RenewalMoment } from './renewal-moment.ts';
import { toKept, TokenSecrets } from './token-secrets.ts';

/** No row waits for these: only tokens that a renewal got are looked for after a crash. */
const NEVER_ADOPTED = 0;

/** What somebody has just given. */
export interface GivenGrant {
  connection: OAuthConnection;
  grantType: GrantType;
  client: OAuthClient;
  clientSecretVersion: number | null;
  authorizedBy: string;
  tokens: GivenTokens;
}

/** Stores what somebody has given to a connection, in place of whatever it had. */
@Injectable()
export class StoreGrant {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly grants: GrantsRepository,
    private readonly secrets: TokenSecrets,
    private readonly events: GrantEvents,
    private readonly moment: RenewalMoment,
  ) {}

  /** @param alongside - What is done in the same transaction. */
  async execute(
    given: GivenGrant,
    alongside: (manager: EntityManager) => Promise<unknown> = () => Promise.resolve(),
  ): Promise<void> {
    const { connection, tokens, grantType, client, authorizedBy } = given;
    const { tenant_id, connection_id } = connection;
    const kept = toKept(tokens, NEVER_ADOPTED);
    const isRenewable = kept.refreshToken !== undefined || grantType === 'client_credentials';
    const life = { expiresInSeconds: tokens.expiresInSeconds, isRenewable };
    // Not in the transaction: a remote backend, or another connection of the pool, would be waited for.
    const tokenVersion = await this.secrets.write(connection, kept);
    await this.transaction.run(tenant_id, async (manager) => {
      await this.grants.put(manager, tenant_id, {
        ...{ connectionId: connection_id, grantType, client, authorizedBy, tokenVersion },
        clientSecretVersion: given.clientSecretVersion,
        state: granted(0, life, this.moment.now()),
        scope: tokens.scope ?? client.scopes.join(' '),
      });
      await alongside(manager);
      await this.events.announce(manager, [given]);
      await this.events.authorized(manager, given);
    });
  }
}
