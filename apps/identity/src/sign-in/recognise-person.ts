import { Injectable } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import { Problem } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import { PersonTransaction } from '../people/person-transaction.ts';
import { type User, Users } from '../tenancy/users.ts';
import { LinkedAccountsRepository } from './linked-accounts.repository.ts';
import type { ExternalIdentity } from './providers/identity-provider.ts';
import { SignInsRepository } from './sign-ins.repository.ts';

/** What is known of the person behind an account. */
export type Recognition = 'signed_in' | 'link_waiting' | 'account_disabled';

/** A provider has vouched for somebody; nothing else has. */
const FEDERATED = ['fed'];

/**
 * Finds the person behind an account at a provider.
 *
 * An address alone opens nothing that somebody has: where a person signs in with other accounts, a
 * new one waits until they have signed in with one of those and confirmed it. So whoever gets hold of
 * an address, or of a provider that lets them claim it, gets into no account.
 */
@Injectable()
export class RecognisePerson {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly users: Users,
    private readonly accounts: LinkedAccountsRepository,
    private readonly signIns: SignInsRepository,
    private readonly transaction: PersonTransaction,
  ) {}

  async execute(
    account: ExternalIdentity,
    interaction: string,
    origin: AuditOrigin,
  ): Promise<Recognition> {
    const known = await this.sweep.run((manager) => this.accounts.use(manager, account));
    const user = known === undefined ? await this.ownerOf(account) : await this.users.find(known);
    if (user?.disabled_at !== null) {
      return 'account_disabled';
    }
    const actor = { ...origin, actor: { ...origin.actor, subject: user.user_id } };
    if (known === undefined && !(await this.linkFirst(user, account, actor))) {
      await this.sweep.run((manager) =>
        this.signIns.wait(manager, interaction, { account, userId: user.user_id }),
      );
      return 'link_waiting';
    }
    const row = { interaction_uid: interaction, user_id: user.user_id, amr: FEDERATED };
    await this.sweep.run((manager) => this.signIns.signIn(manager, row));
    return 'signed_in';
  }

  /** Whoever has the address, made new where nobody has. */
  private async ownerOf({ email, display_name }: ExternalIdentity): Promise<User | undefined> {
    const present = await this.users.findByEmail(email);
    if (present !== undefined) {
      return present;
    }
    return this.users.create({ email, display_name }).catch((error: unknown) => {
      if (error instanceof Problem && error.code === 'user_exists') {
        // Somebody came first, a moment ago.
        return this.users.findByEmail(email);
      }
      throw error;
    });
  }

  /** Links an account to a person who has none, as one who was invited. */
  private linkFirst(user: User, account: ExternalIdentity, origin: AuditOrigin): Promise<boolean> {
    return this.transaction.run(user.user_id, origin, async (manager) => {
      await this.accounts.lock(manager, user.user_id);
      const present = await this.accounts.of(manager, user.user_id);
      if (present.length > 0 || !(await this.accounts.link(manager, user.user_id, account))) {
        return { result: false };
      }
      const line = {
        action: 'account.linked',
        target: { type: 'user', id: user.user_id },
        outcome: 'success' as const,
        details: { provider: account.provider },
      };
      return { result: true, line };
    });
  }
}
