import { Injectable } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import { TenantTransaction } from '@soma/persistence';
import { AuditLog } from '../audit/audit-log.ts';
import { Invitations } from './invitations.ts';

/** Takes an invitation back that nobody has accepted. */
@Injectable()
export class RevokeInvitation {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly invitations: Invitations,
    private readonly audit: AuditLog,
  ) {}

  /** @throws {@link Problem} 404 `invitation_not_found` */
  execute({ principal, origin }: Caller, invitationId: string): Promise<void> {
    const { tenant_id } = principal;
    return this.transaction.run(tenant_id, async (manager) => {
      const { invitation_id, email } = await this.invitations.revoke(
        manager,
        tenant_id,
        invitationId,
      );
      await this.audit.append(manager, {
        ...origin,
        tenant_id,
        action: 'invitation.revoked',
        target: { type: 'invitation', id: invitation_id },
        outcome: 'success',
        details: { email },
      });
    });
  }
}
