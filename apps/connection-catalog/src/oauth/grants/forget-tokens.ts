import { Injectable } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import type { GrantRow } from './grant.ts';
import { CONNECTION_CHANGED } from './grant-lifecycle.ts';
import { GrantsRepository } from './grants.repository.ts';
import { type Owner, TokenSecrets } from './token-secrets.ts';

/**
 * Deletes the tokens of a connection that nobody needs any more, all versions of them. Under the lock
 * of the connection, which whoever stores a new grant has too: its tokens are not taken for old ones.
 */
@Injectable()
export class ForgetTokens {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly grants: GrantsRepository,
    private readonly secrets: TokenSecrets,
  ) {}

  /** @param told - The generation of a revoked grant whose provider knows of it. */
  async execute({ tenant_id, connection_id }: Owner, told?: number): Promise<void> {
    await this.transaction.run(tenant_id, async (manager) => {
      await this.grants.lockConnection(manager, connection_id);
      if (told !== undefined) {
        await this.grants.storeTold(manager, connection_id, told);
      }
      const grant = await this.grants.find(manager, connection_id);
      if (grant === undefined || isOver(grant)) {
        await this.secrets.forgetTokens(manager, { tenant_id, connection_id });
      }
    });
  }
}

/** While the provider does not know of a revocation, they are kept to tell it again. */
function isOver({ status, reason, told_at, client }: GrantRow): boolean {
  return (
    reason === CONNECTION_CHANGED ||
    (status === 'revoked' && (told_at !== null || client.revocation_endpoint === null))
  );
}
