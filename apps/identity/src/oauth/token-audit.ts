import { Injectable } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { AuditLog } from '../audit/audit-log.ts';
import { requestIdOf } from './koa-request.ts';
import type { GrantOwner } from './oidc-records.ts';

/**
 * Writes down that a client got tokens for a person.
 *
 * Not each refresh, which is the same sign-in going on, and not the tokens of programs, which ask
 * for one every few minutes for as long as they run.
 */
@Injectable()
export class TokenAudit {
  constructor(
    private readonly tenants: TenantTransaction,
    private readonly auditLog: AuditLog,
  ) {}

  /** Before the answer is sent: a token that cannot be written down is not given away. */
  follow(provider: Provider): void {
    provider.use(async (context: KoaContextWithOIDC, next: () => Promise<void>) => {
      await next();
      if (context.path === provider.pathFor('token') && context.status === 200) {
        await this.record(context);
      }
    });
  }

  private async record(context: KoaContextWithOIDC): Promise<void> {
    const { entities, params } = context.oidc;
    const grantType = String(params?.['grant_type']);
    if (entities.Grant === undefined || grantType === 'refresh_token') {
      return;
    }
    // `TokenContent` saves every grant with its owner.
    const owner = entities.Grant as unknown as GrantOwner;
    await this.tenants.run(owner.tenant_id, (manager) =>
      this.auditLog.append(manager, {
        tenant_id: owner.tenant_id,
        actor: { subject: owner.accountId, address: context.ip },
        action: 'token.issued',
        target: { type: 'user', id: owner.accountId },
        outcome: 'success',
        request_id: requestIdOf(context),
        details: { client_id: owner.clientId, grant_type: grantType },
      }),
    );
  }
}
