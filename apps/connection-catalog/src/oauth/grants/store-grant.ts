import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { Problem } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { connectionNotFound, type OAuthConnection } from '../connections/oauth-connections.ts';
import type { OAuthClient } from '../protocol/oauth-client.ts';
import type { GivenTokens } from '../protocol/provider-client.ts';
import { ForgetTokens } from './forget-tokens.ts';
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
    private readonly forgetting: ForgetTokens,
    private readonly events: GrantEvents,
    private readonly moment: RenewalMoment,
  ) {}

  /**
   * @param alongside - What is done in the same transaction.
   * @throws {@link Problem} 404 `connection_not_found`, 409 `connection_changed`
   */
  async execute(
    given: GivenGrant,
    alongside: (manager: EntityManager) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const { connection } = given;
    const stored = this.transaction.run(connection.tenant_id, async (manager) => {
      await this.put(manager, given);
      await alongside(manager);
      await this.events.announce(manager, [connection]);
      await this.events.authorized(manager, given);
    });
    await stored.catch(async (error: unknown) => {
      // A backend that has no part in the transaction may have tokens that no row knows.
      await this.forgetting.execute(connection);
      throw error;
    });
  }

  private async put(manager: EntityManager, given: GivenGrant): Promise<void> {
    const { connection, tokens, grantType, client, authorizedBy } = given;
    const { tenant_id, connection_id } = connection;
    const kept = toKept(tokens, NEVER_ADOPTED);
    const isRenewable = kept.refreshToken !== undefined || grantType === 'client_credentials';
    const life = { expiresInSeconds: tokens.expiresInSeconds, isRenewable };
    // Before they are written, and to the end: whoever deletes tokens of an older grant has it too.
    const fields = await this.grants.lockConnection(manager, connection_id);
    assertUnchanged(connection, fields);
    const tokenVersion = await this.secrets.write(connection, kept, manager);
    await this.grants.put(manager, tenant_id, {
      ...{ connectionId: connection_id, grantType, client, authorizedBy, tokenVersion },
      clientSecretVersion: given.clientSecretVersion,
      state: granted(0, life, this.moment.now()),
      scope: tokens.scope ?? client.scopes.join(' '),
    });
  }
}

/** What was given while the connection came to be for something else is not for that. */
function assertUnchanged({ fields: seen }: OAuthConnection, fields: object | undefined): void {
  if (fields === undefined) {
    throw connectionNotFound();
  }
  if (!isDeepStrictEqual(fields, seen)) {
    throw new Problem({
      status: 409,
      code: 'connection_changed',
      detail:
        'The connection was changed while it was being authorised. Start again with POST ' +
        '/api/v1/oauth/initiate.',
    });
  }
}
