import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { Problem, Secret } from '@soma/kernel';
import { PersonTransaction } from '../people/person-transaction.ts';
import { Users } from '../tenancy/users.ts';
import { FactorChanges } from './factor-changes.ts';
import { SecondFactorsRepository } from './second-factors.repository.ts';
import { newTotp, type TotpEnrolment } from './totp.ts';

/** Gives a person's app its secret. It counts once a code has confirmed it. */
@Injectable()
export class EnrolTotp {
  constructor(
    private readonly changes: FactorChanges,
    private readonly users: Users,
    private readonly transaction: PersonTransaction,
    private readonly factors: SecondFactorsRepository,
  ) {}

  /** @throws {@link Problem} 409 `totp_exists` */
  async execute(principal: Principal, origin: AuditOrigin): Promise<TotpEnrolment> {
    const userId = await this.changes.allow(principal);
    const user = await this.users.find(userId);
    const enrolment = await newTotp(user?.email ?? userId);
    const isBegun = await this.transaction.run(userId, origin, async (manager) => {
      const secret = new Secret(enrolment.secret);
      return { result: await this.factors.beginTotp(manager, userId, secret) };
    });
    if (!isBegun) {
      throw new Problem({
        status: 409,
        code: 'totp_exists',
        detail: 'There is an app already. Remove it before you set up another one.',
      });
    }
    return enrolment;
  }
}
