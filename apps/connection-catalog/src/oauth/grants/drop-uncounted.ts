import { Injectable } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import type { OAuthConnection } from '../connections/oauth-connections.ts';
import { ForgetTokens } from './forget-tokens.ts';
import { CONNECTION_CHANGED } from './grant-lifecycle.ts';
import { GrantsRepository } from './grants.repository.ts';
import { TellProvider } from './tell-provider.ts';

/** A token that came after its grant was revoked must not stay behind, neither there nor here. */
@Injectable()
export class DropUncounted {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly grants: GrantsRepository,
    private readonly telling: TellProvider,
    private readonly forgetting: ForgetTokens,
  ) {}

  /** @param tokenVersion - Of tokens that were stored and did not count. */
  async execute(connection: OAuthConnection, tokenVersion: number): Promise<void> {
    const { tenant_id, connection_id } = connection;
    const grant = await this.transaction.run(tenant_id, (manager) =>
      this.grants.find(manager, connection_id),
    );
    if (grant?.status === 'revoked' || grant?.reason === CONNECTION_CHANGED) {
      await this.telling.execute(connection, grant, tokenVersion);
    }
    await this.forgetting.execute(connection);
  }
}
