import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { Problem } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { CredentialChanges } from '../../connections/credential-changes.ts';
import { connectionNotFound, type OAuthConnection } from '../connections/oauth-connections.ts';
import type { OAuthClient } from '../protocol/oauth-client.ts';
import type { GivenTokens } from '../protocol/provider-client.ts';
import type { GrantType } from './grant.ts';
import { GrantEvents } from './grant-events.ts';
import { granted } from './grant-lifecycle.ts';
import { GrantsRepository } from './grants.repository.ts';
import { RenewalMoment } from './renewal-moment.ts';
import { type KeptTokens, toKept, TOKENS, toText } from './token-secrets.ts';

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
    private readonly credentials: CredentialChanges,
    private readonly events: GrantEvents,
    private readonly moment: RenewalMoment,
  ) {}

  /**
   * @param alongside - What is done in the same transaction.
   * @throws {@link Problem} 404 `connection_not_found`, 409 `connection_changed`, 412
   *   `version_mismatch` while another authorisation of the connection is being stored
   */
  async execute(
    given: GivenGrant,
    alongside: (manager: EntityManager) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const { connection } = given;
    const kept = toKept(given.tokens, NEVER_ADOPTED);
    const plan = { ...connection, written: new Map([[TOKENS, toText(kept)]]), removed: [] };
    await this.credentials.run(
      connection.tenant_id,
      () => Promise.resolve(plan),
      (written) =>
        this.transaction.run(connection.tenant_id, async (manager) => {
          // Before they are written, and to the end: whoever deletes tokens of an older grant has it too.
          const fields = await this.grants.lockConnection(manager, connection.connection_id);
          assertUnchanged(connection, fields);
          const none = { ...connection, credentials: {} };
          const applied = await this.credentials.apply(manager, none, written ?? plan);
          await this.put(manager, given, { kept, version: applied[TOKENS]?.version ?? 0 });
          await alongside(manager);
          await this.events.announce(manager, [connection]);
          await this.events.authorized(manager, given);
        }),
    );
  }

  private async put(
    manager: EntityManager,
    given: GivenGrant,
    { kept, version }: { kept: KeptTokens; version: number },
  ): Promise<void> {
    const { connection, tokens, grantType, client, authorizedBy } = given;
    const { tenant_id, connection_id } = connection;
    const isRenewable = kept.refreshToken !== undefined || grantType === 'client_credentials';
    const life = { expiresInSeconds: tokens.expiresInSeconds, isRenewable };
    await this.grants.put(manager, tenant_id, {
      ...{ connectionId: connection_id, grantType, client, authorizedBy, tokenVersion: version },
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
