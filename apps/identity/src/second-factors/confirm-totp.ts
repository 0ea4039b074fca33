import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import type { EntityManager } from 'typeorm';
import { type PersonChange, PersonTransaction } from '../people/person-transaction.ts';
import { FactorChanges } from './factor-changes.ts';
import { factorRefused } from './proven-factor.ts';
import { newRecoveryCodes } from './recovery-code.ts';
import { SecondFactorTries } from './second-factor-tries.ts';
import { SecondFactorsRepository } from './second-factors.repository.ts';
import { stepOf } from './totp.ts';

/** Makes an app a second factor, by a code that it shows. From then on sign-ins ask for one. */
@Injectable()
export class ConfirmTotp {
  constructor(
    private readonly changes: FactorChanges,
    private readonly tries: SecondFactorTries,
    private readonly transaction: PersonTransaction,
    private readonly factors: SecondFactorsRepository,
  ) {}

  /**
   * @returns Recovery codes, which are never shown again.
   * @throws {@link Problem} 403 `second_factor_refused`, 409 `totp_not_begun`, 429
   *   `second_factor_locked`
   */
  async execute(principal: Principal, code: string, origin: AuditOrigin): Promise<string[]> {
    const userId = this.changes.userOf(principal);
    await this.tries.take(userId);
    const recoveryCodes = await this.transaction.run(userId, origin, (manager) =>
      this.confirm(manager, userId, code),
    );
    if (recoveryCodes === undefined) {
      throw factorRefused();
    }
    return recoveryCodes;
  }

  private async confirm(
    manager: EntityManager,
    userId: string,
    code: string,
  ): Promise<PersonChange<string[] | undefined>> {
    const factor = await this.factors.findTotp(manager, userId);
    if (factor?.confirmed_at !== null) {
      throw new Problem({
        status: 409,
        code: 'totp_not_begun',
        detail: 'No app waits to be confirmed. Begin to set one up.',
      });
    }
    const target = { type: 'user', id: userId };
    const step = stepOf(factor.secret.reveal(), code, Date.now());
    if (step === undefined || !(await this.factors.confirmTotp(manager, userId, step))) {
      const line = { action: 'second_factor.refused', target, outcome: 'failure' as const };
      return { result: undefined, line: { ...line, details: { factor: 'totp' } } };
    }
    const recoveryCodes = newRecoveryCodes();
    await this.factors.replaceRecoveryCodes(manager, userId, recoveryCodes);
    await this.tries.forget(manager, userId);
    const line = { action: 'second_factor.enrolled', target, outcome: 'success' as const };
    return { result: recoveryCodes, line: { ...line, details: { factor: 'totp' } } };
  }
}
