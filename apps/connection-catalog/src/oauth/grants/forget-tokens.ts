import { Injectable } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import { CredentialChanges } from '../../connections/credential-changes.ts';
import { GrantsRepository } from './grants.repository.ts';
import { type Owner, TOKENS } from './token-secrets.ts';

/**
 * Deletes the tokens of a connection that nobody needs any more, all versions of them. Under the lock
 * of the connection, which whoever stores a new grant has too: its tokens are not taken for old ones.
 */
@Injectable()
export class ForgetTokens {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly grants: GrantsRepository,
    private readonly credentials: CredentialChanges,
  ) {}

  /** @param told - The generation of a revoked grant whose provider knows of it. */
  async execute({ tenant_id, connection_id }: Owner, told?: number): Promise<void> {
    await this.transaction.run(tenant_id, async (manager) => {
      await this.grants.lockConnection(manager, connection_id);
      if (told !== undefined) {
        await this.grants.storeTold(manager, connection_id, told);
      }
      if (!(await this.grants.needsTokens(manager, connection_id))) {
        const none = { tenant_id, connection_id, name: '', credentials: {} };
        const change = { written: new Map(), removed: [TOKENS] };
        await this.credentials.apply(manager, none, change);
      }
    });
  }
}
