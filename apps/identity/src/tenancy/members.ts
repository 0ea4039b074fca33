import { Injectable } from '@nestjs/common';
import type { MemberRole } from '@soma/contracts';
import { SweepTransaction } from '@soma/persistence';

/** What a person is in one of their tenants. */
export interface Membership {
  tenant_id: string;
  role: MemberRole;
}

/** Who is what in which tenant. */
@Injectable()
export class Members {
  constructor(private readonly sweep: SweepTransaction) {}

  /** The tenants of a person, by id. For sign-in, which is to find out the tenant. */
  ofUser(userId: string): Promise<Membership[]> {
    return this.sweep.run((manager) =>
      manager.query<Membership[]>(
        `SELECT tenant_id, role FROM identity.members WHERE user_id = $1 ORDER BY tenant_id`,
        [userId],
      ),
    );
  }
}
