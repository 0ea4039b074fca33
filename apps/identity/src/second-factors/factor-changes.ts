import { Injectable } from '@nestjs/common';
import { demandFreshSignIn, demandSecondFactor } from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import { type FactorSummary, SecondFactorsRepository } from './second-factors.repository.ts';

/** Ids of the people whom this service knows are UUIDs; those of other issuers' people are not. */
const USER_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Decides who may change the second factors of a person: that person, who has just proved it. */
@Injectable()
export class FactorChanges {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly factors: SecondFactorsRepository,
  ) {}

  /** @throws {@link Problem} 403 `person_required` for a program, and for people of other issuers */
  userOf({ role, subject }: Principal): string {
    if (role === undefined || !USER_ID.test(subject)) {
      throw new Problem({
        status: 403,
        code: 'person_required',
        detail: 'Second factors belong to people who sign in here. Sign in as one.',
      });
    }
    return subject;
  }

  summaryOf(userId: string): Promise<FactorSummary> {
    return this.sweep.run((manager) => this.factors.summaryOf(manager, userId));
  }

  /**
   * Whoever has a factor proves it; the first one takes a fresh sign-in. A stolen token is neither.
   *
   * @returns The person.
   * @throws {@link Problem} 401 `step_up_required`
   */
  async allow(principal: Principal): Promise<string> {
    const userId = this.userOf(principal);
    const { totp_confirmed_at, passkeys } = await this.summaryOf(userId);
    const hasFactor = totp_confirmed_at !== null || passkeys > 0;
    (hasFactor ? demandSecondFactor : demandFreshSignIn)(principal);
    return userId;
  }
}
