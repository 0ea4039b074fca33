import { Injectable } from '@nestjs/common';
import { ACR } from '@soma/auth';
import { SweepTransaction } from '@soma/persistence';
import type { PublicKeyCredentialRequestOptionsJSON } from '@simplewebauthn/server';
import { BeginPasskeyProof } from '../second-factors/begin-passkey-proof.ts';
import { FactorChanges } from '../second-factors/factor-changes.ts';
import { Members } from '../tenancy/members.ts';
import { type LinkedAccount, LinkedAccountsRepository } from './linked-accounts.repository.ts';
import type { ExternalIdentity } from './providers/identity-provider.ts';
import { type SignInRow, SignInsRepository } from './sign-ins.repository.ts';

/** What a sign-in needs next. */
export type SignInStep =
  | { kind: 'choose_provider' }
  | { kind: 'sign_in_to_link'; account: ExternalIdentity; with: LinkedAccount[] }
  | { kind: 'second_factor'; passkey: PublicKeyCredentialRequestOptionsJSON | undefined }
  | { kind: 'confirm_link'; account: ExternalIdentity }
  | { kind: 'no_membership' }
  | { kind: 'done'; userId: string; amr: string[]; acr: string };

/** A sign-in of somebody who is known. */
type KnownSignIn = SignInRow & { user_id: string };

/** Says what a sign-in needs next: who, then proof, then what waits for a word. */
@Injectable()
export class SignInSteps {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly signIns: SignInsRepository,
    private readonly accounts: LinkedAccountsRepository,
    private readonly factors: FactorChanges,
    private readonly beginProof: BeginPasskeyProof,
    private readonly members: Members,
  ) {}

  async next(interaction: string): Promise<SignInStep> {
    const row = await this.sweep.run((manager) => this.signIns.find(manager, interaction));
    if (row === undefined) {
      return { kind: 'choose_provider' };
    }
    return isKnown(row) ? this.afterSignIn(row) : this.beforeSignIn(row);
  }

  private async beforeSignIn({ waiting_account, waiting_for }: SignInRow): Promise<SignInStep> {
    if (waiting_account === null || waiting_for === null) {
      return { kind: 'choose_provider' };
    }
    const linked = await this.sweep.run((manager) => this.accounts.of(manager, waiting_for));
    return { kind: 'sign_in_to_link', account: waiting_account, with: linked };
  }

  private async afterSignIn({ user_id, amr, waiting_account }: KnownSignIn): Promise<SignInStep> {
    const { totp_confirmed_at, passkeys } = await this.factors.summaryOf(user_id);
    if ((totp_confirmed_at !== null || passkeys > 0) && !amr.includes('mfa')) {
      const passkey = passkeys > 0 ? await this.beginProof.execute(user_id) : undefined;
      return { kind: 'second_factor', passkey };
    }
    if (waiting_account !== null) {
      return { kind: 'confirm_link', account: waiting_account };
    }
    const memberships = await this.members.ofUser(user_id);
    return memberships.length === 0
      ? { kind: 'no_membership' }
      : { kind: 'done', userId: user_id, amr, acr: acrOf(amr) };
  }
}

function isKnown(row: SignInRow): row is KnownSignIn {
  return row.user_id !== null;
}

function acrOf(amr: readonly string[]): string {
  if (!amr.includes('mfa')) {
    return ACR.oneFactor;
  }
  return amr.includes('hwk') || amr.includes('swk') ? ACR.passkey : ACR.twoFactors;
}
