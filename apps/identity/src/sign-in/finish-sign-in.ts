import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import type { SignIn } from '../oauth/interactions.ts';
import { PersonTransaction } from '../people/person-transaction.ts';
import { SignInsRepository } from './sign-ins.repository.ts';

/** Ends a sign-in that needs nothing more. */
@Injectable()
export class FinishSignIn {
  constructor(
    private readonly signIns: SignInsRepository,
    private readonly transaction: PersonTransaction,
  ) {}

  /** Answers whether it was there to be ended: of several requests one ends it. */
  execute(
    interaction: string,
    { userId, amr, acr }: SignIn,
    origin: AuditOrigin,
  ): Promise<boolean> {
    const actor = { ...origin, actor: { ...origin.actor, subject: userId } };
    return this.transaction.run(userId, actor, async (manager) => {
      if (!(await this.signIns.remove(manager, interaction, userId))) {
        return { result: false };
      }
      const line = {
        action: 'sign_in.completed',
        target: { type: 'user', id: userId },
        outcome: 'success' as const,
        details: { amr: amr.join(' '), acr },
      };
      return { result: true, line };
    });
  }
}
