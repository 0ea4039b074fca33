import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { type OAuthConnection, OAuthConnections } from '../connections/oauth-connections.ts';
import { ForgetTokens } from './forget-tokens.ts';
import { type GrantRow, stateOf } from './grant.ts';
import { GrantEvents } from './grant-events.ts';
import { unbound } from './grant-lifecycle.ts';
import { GrantsRepository } from './grants.repository.ts';
import { TellProvider } from './tell-provider.ts';

/** A grant that was given for what its connection was for before. */
export interface UnboundGrant {
  /** As it was then: its provider is told with the secret of then. */
  connection: OAuthConnection;
  grant: GrantRow;
}

/** Ends the grant of a connection that comes to be for something else: a token is for one thing. */
@Injectable()
export class EndGrant {
  constructor(
    private readonly connections: OAuthConnections,
    private readonly grants: GrantsRepository,
    private readonly events: GrantEvents,
    private readonly telling: TellProvider,
    private readonly forgetting: ForgetTokens,
  ) {}

  /**
   * Nobody gets the token any more, nor is it renewed.
   *
   * @param manager - Of the change, before it.
   * @returns What {@link finish} is to be told after it; undefined where nothing was authorised.
   */
  async execute(
    manager: EntityManager,
    { connection_id, subject }: { connection_id: string; subject: string },
  ): Promise<UnboundGrant | undefined> {
    const connection = (await this.connections.read(manager, [connection_id])).get(connection_id);
    const grant = await this.grants.lock(manager, connection_id);
    if (connection === undefined || grant === undefined) {
      return undefined;
    }
    const state = unbound(stateOf(grant));
    await this.grants.storeEnd(manager, connection_id, state);
    await this.events.ended(manager, connection, { subject, state });
    return { connection, grant };
  }

  /** Tells the provider of before, if it can be told, and deletes the tokens. */
  async finish({ connection, grant }: UnboundGrant): Promise<void> {
    await this.telling.execute(connection, grant, grant.token_version);
    await this.forgetting.execute(connection);
  }
}
