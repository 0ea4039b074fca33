import { Injectable } from '@nestjs/common';
import type { Membership } from '@soma/contracts';
import { Problem, type Secret } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { Invitations } from './invitations.ts';
import type { User } from './users.ts';

/** Looks what an invitation would make of a person, without using it up. */
@Injectable()
export class FindInvitation {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly invitations: Invitations,
  ) {}

  /** Nothing for one that this person cannot accept, whatever the reason. */
  async execute(
    { email, email_verified_at }: Pick<User, 'email' | 'email_verified_at'>,
    token: Secret,
  ): Promise<Membership | undefined> {
    if (email_verified_at === null) {
      return undefined;
    }
    const tenantId = await this.invitations.tenantOf(token).catch(orNothing);
    const found =
      tenantId &&
      (await this.transaction.run(tenantId, (manager) =>
        this.invitations.find(manager, tenantId, { token, email }),
      ));
    return found ? { tenant_id: tenantId, role: found.role } : undefined;
  }
}

function orNothing(error: unknown): undefined {
  if (error instanceof Problem && error.code === 'invitation_not_found') {
    return undefined;
  }
  throw error;
}
