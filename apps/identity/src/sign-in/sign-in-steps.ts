import { Injectable } from '@nestjs/common';
import { ACR } from '@soma/auth';
import { SweepTransaction } from '@soma/persistence';
import type { PublicKeyCredentialRequestOptionsJSON } from '@simplewebauthn/server';
import { isWeaker } from '../oauth/demanded-acr.ts';
import type { SignIn, Visit } from '../oauth/interactions.ts';
import { BeginPasskeyProof } from '../second-factors/begin-passkey-proof.ts';
import { FactorChanges } from '../second-factors/factor-changes.ts';
import { type LinkedAccount, LinkedAccountsRepository } from './linked-accounts.repository.ts';
import type { ExternalIdentity } from './providers/identity-provider.ts';
import { type SignInRow, SignInsRepository } from './sign-ins.repository.ts';
import { type TenantStep, TenantSteps } from './tenant-steps.ts';

/** What a sign-in needs next. */
export type SignInStep =
  | { kind: 'choose_provider' }
  | { kind: 'sign_in_to_link'; account: ExternalIdentity; with: LinkedAccount[] }
  | {
      kind: 'second_factor';
      passkey: PublicKeyCredentialRequestOptionsJSON | undefined;
      takesCode: boolean;
    }
  | { kind: 'confirm_link'; account: ExternalIdentity }
  | TenantStep
  | ({ kind: 'done' } & SignIn);

/** A sign-in of somebody who is known. */
type KnownSignIn = SignInRow & { user_id: string };

/** Says what a sign-in needs next: who, then proof, then what waits for a word, then for which tenant. */
@Injectable()
export class SignInSteps {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly signIns: SignInsRepository,
    private readonly accounts: LinkedAccountsRepository,
    private readonly factors: FactorChanges,
    private readonly beginProof: BeginPasskeyProof,
    private readonly tenantSteps: TenantSteps,
  ) {}

  async next(visit: Visit): Promise<SignInStep> {
    if (visit.wants === 'tenant') {
      return this.tenantSteps.next(visit);
    }
    const row = await this.rowOf(visit);
    if (row === undefined) {
      return { kind: 'choose_provider' };
    }
    return isKnown(row) ? this.afterSignIn(row, visit) : this.beforeSignIn(row);
  }

  /** Who is known already and has only to prove it better goes on from what they have proved. */
  private rowOf({ uid, person }: Visit): Promise<SignInRow | undefined> {
    return this.sweep.run(async (manager) => {
      const row = await this.signIns.find(manager, uid);
      if (row !== undefined || person === undefined) {
        return row;
      }
      const { userId: user_id, amr } = person;
      await this.signIns.signIn(manager, { interaction_uid: uid, user_id, amr });
      return this.signIns.find(manager, uid);
    });
  }

  private async beforeSignIn({ waiting_account, waiting_for }: SignInRow): Promise<SignInStep> {
    if (waiting_account === null || waiting_for === null) {
      return { kind: 'choose_provider' };
    }
    const linked = await this.sweep.run((manager) => this.accounts.of(manager, waiting_for));
    return { kind: 'sign_in_to_link', account: waiting_account, with: linked };
  }

  private async afterSignIn(row: KnownSignIn, { leastAcr, person }: Visit): Promise<SignInStep> {
    const { user_id: userId, amr, waiting_account } = row;
    const factors = await this.factors.summaryOf(userId);
    if (isProofOpen(acrOf(amr), factors, leastAcr)) {
      const passkey = factors.passkeys > 0 ? await this.beginProof.execute(userId) : undefined;
      return { kind: 'second_factor', passkey, takesCode: !amr.includes('mfa') };
    }
    return waiting_account === null
      ? { kind: 'done', userId, amr, acr: acrOf(amr), provedAt: provedAt(row, person) }
      : { kind: 'confirm_link', account: waiting_account };
  }
}

type Factors = Awaited<ReturnType<FactorChanges['summaryOf']>>;

/**
 * Whoever has a second factor proves it, and a passkey where that is asked for and they have one. What
 * somebody has not cannot be had of them: their token says how they signed in.
 */
function isProofOpen(
  acr: string,
  { totp_confirmed_at, passkeys }: Factors,
  least: string | undefined,
): boolean {
  const best = passkeys > 0 ? ACR.passkey : ACR.twoFactors;
  const isWanted = isWeaker(acr, least) && isWeaker(acr, best);
  return (totp_confirmed_at !== null || passkeys > 0) && (acr === ACR.oneFactor || isWanted);
}

/**
 * Now for who has proved something in this visit. Who came with a session and was asked for nothing
 * has proved nothing since: a browser that was kept open is no fresh sign-in.
 */
function provedAt({ user_id, amr }: KnownSignIn, person: Visit['person']): number {
  const isAsBefore = person?.userId === user_id && amr.length <= person.amr.length;
  return isAsBefore ? person.provedAt : Math.floor(Date.now() / 1000);
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
