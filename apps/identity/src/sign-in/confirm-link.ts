import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import { SweepTransaction } from '@soma/persistence';
import type { Visit } from '../oauth/interactions.ts';
import { PersonTransaction } from '../people/person-transaction.ts';
import { LinkedAccountsRepository } from './linked-accounts.repository.ts';
import { SignInSteps } from './sign-in-steps.ts';
import { SignInsRepository } from './sign-ins.repository.ts';

/** Links the account that waits, or lets it go, as its person says. */
@Injectable()
export class ConfirmLink {
  constructor(
    private readonly steps: SignInSteps,
    private readonly sweep: SweepTransaction,
    private readonly signIns: SignInsRepository,
    private readonly accounts: LinkedAccountsRepository,
    private readonly transaction: PersonTransaction,
  ) {}

  async execute(visit: Visit, isWanted: boolean, origin: AuditOrigin): Promise<void> {
    const { uid: interaction } = visit;
    // Whoever has not come so far, second factor included, has nothing to confirm.
    const { kind } = await this.steps.next(visit);
    const row = await this.sweep.run((manager) => this.signIns.find(manager, interaction));
    const account = row?.waiting_account;
    const userId = row?.user_id;
    if (kind !== 'confirm_link' || !account || !userId) {
      return;
    }
    const actor = { ...origin, actor: { ...origin.actor, subject: userId } };
    await this.transaction.run(userId, actor, async (manager) => {
      await this.accounts.lock(manager, userId);
      const isLinked = isWanted && (await this.accounts.link(manager, userId, account));
      await this.signIns.forgetWaiting(manager, interaction);
      const line = {
        action: isLinked ? 'account.linked' : 'account.refused',
        target: { type: 'user', id: userId },
        outcome: isLinked ? ('success' as const) : ('failure' as const),
        details: { provider: account.provider },
      };
      return { result: undefined, line };
    });
  }
}
