import { Injectable } from '@nestjs/common';
import { verifyAuthenticationResponse } from '@simplewebauthn/server';
import type { AuditOrigin } from '@soma/auth';
import { SweepTransaction } from '@soma/persistence';
import { PersonTransaction } from '../people/person-transaction.ts';
import { asProof, challengeOf, type ProofResponse } from './passkey-messages.ts';
import { type Passkey, PasskeysRepository } from './passkeys.repository.ts';
import { factorRefused, passkeyFactor, type ProvenFactor } from './proven-factor.ts';
import { RelyingParty } from './relying-party.ts';

/** What the authenticator signed, once it is known to be true. */
interface Proof {
  passkey: Passkey;
  newCounter: number;
  userVerified: boolean;
}

/** Proves a person by a passkey. */
@Injectable()
export class VerifyPasskey {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly transaction: PersonTransaction,
    private readonly passkeys: PasskeysRepository,
    private readonly relyingParty: RelyingParty,
  ) {}

  /** @throws {@link Problem} 403 `second_factor_refused` */
  async execute(
    userId: string,
    response: ProofResponse,
    origin: AuditOrigin,
  ): Promise<ProvenFactor> {
    const proved = await this.verify(await this.findChallenged(userId, response), response);
    const isProved = await this.transaction.run(userId, origin, async (manager) => {
      const isUsed =
        proved !== undefined &&
        (await this.passkeys.noteUse(manager, proved.passkey, proved.newCounter));
      const line = {
        action: isUsed ? 'second_factor.verified' : 'second_factor.refused',
        target: { type: 'user', id: userId },
        outcome: isUsed ? ('success' as const) : ('failure' as const),
        details: { factor: 'passkey', passkey: response.id },
      };
      return { result: isUsed, line };
    });
    if (!isProved || proved === undefined) {
      throw factorRefused();
    }
    return passkeyFactor(proved.passkey.is_synced, proved.userVerified);
  }

  /** The person's passkey that has signed a challenge of theirs, which is used up by it. */
  private findChallenged(userId: string, response: ProofResponse): Promise<Passkey | undefined> {
    const challenge = challengeOf(response);
    return this.sweep.run(async (manager) => {
      const whom = { challenge, userId, purpose: 'proof' as const };
      const isKnown = await this.passkeys.useChallenge(manager, whom);
      const present = await this.passkeys.of(manager, userId);
      return isKnown
        ? present.find(({ credential_id }) => credential_id === response.id)
        : undefined;
    });
  }

  private async verify(
    passkey: Passkey | undefined,
    response: ProofResponse,
  ): Promise<Proof | undefined> {
    if (passkey === undefined) {
      return undefined;
    }
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: asProof(response),
      expectedChallenge: challengeOf(response),
      expectedOrigin: this.relyingParty.origin,
      expectedRPID: this.relyingParty.id,
      // As a second factor, it is enough that somebody is there.
      requireUserVerification: false,
      credential: {
        id: passkey.credential_id,
        publicKey: new Uint8Array(passkey.public_key),
        counter: Number(passkey.sign_count),
      },
    }).catch(() => ({ verified: false, authenticationInfo: undefined }));
    return verified && authenticationInfo !== undefined
      ? { passkey, ...authenticationInfo }
      : undefined;
  }
}
