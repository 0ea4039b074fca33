import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import type { EntityManager } from 'typeorm';
import { type PersonChange, PersonTransaction } from '../people/person-transaction.ts';
import { CODE_FACTOR, factorRefused, type ProvenFactor } from './proven-factor.ts';
import { SecondFactorTries } from './second-factor-tries.ts';
import { SecondFactorsRepository } from './second-factors.repository.ts';
import { stepOf } from './totp.ts';

/** Proves a person by a code: of their app, or one of their recovery codes. Each counts once. */
@Injectable()
export class VerifyCode {
  constructor(
    private readonly tries: SecondFactorTries,
    private readonly transaction: PersonTransaction,
    private readonly factors: SecondFactorsRepository,
  ) {}

  /**
   * @param code - Six digits are an app's, anything else is taken for a recovery code.
   * @throws {@link Problem} 403 `second_factor_refused`, 429 `second_factor_locked`
   */
  async execute(userId: string, code: string, origin: AuditOrigin): Promise<ProvenFactor> {
    await this.tries.take(userId);
    const typed = code.replace(/\s/g, '');
    const isProved = await this.transaction.run(userId, origin, (manager) =>
      this.prove(manager, userId, typed),
    );
    if (!isProved) {
      throw factorRefused();
    }
    return CODE_FACTOR;
  }

  private async prove(
    manager: EntityManager,
    userId: string,
    code: string,
  ): Promise<PersonChange<boolean>> {
    const isTotp = /^\d{6}$/.test(code);
    const isProved = isTotp
      ? await this.useTotp(manager, userId, code)
      : await this.factors.useRecoveryCode(manager, userId, code);
    if (isProved) {
      await this.tries.forget(manager, userId);
    }
    const line = {
      action: isProved ? 'second_factor.verified' : 'second_factor.refused',
      target: { type: 'user', id: userId },
      outcome: isProved ? ('success' as const) : ('failure' as const),
      details: { factor: isTotp ? 'totp' : 'recovery_code' },
    };
    return { result: isProved, line };
  }

  private async useTotp(manager: EntityManager, userId: string, code: string): Promise<boolean> {
    const factor = await this.factors.findTotp(manager, userId);
    const step = factor && stepOf(factor.secret.reveal(), code, Date.now());
    return step !== undefined && this.factors.useStep(manager, userId, step);
  }
}
