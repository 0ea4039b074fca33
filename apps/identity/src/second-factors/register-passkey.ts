import { Injectable } from '@nestjs/common';
import {
  type VerifiedRegistrationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import type { AuditOrigin } from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { SweepTransaction } from '@soma/persistence';
import { PersonTransaction } from '../people/person-transaction.ts';
import { FactorChanges } from './factor-changes.ts';
import { asRegistration, challengeOf, type RegistrationResponse } from './passkey-messages.ts';
import { type NewPasskey, PasskeysRepository } from './passkeys.repository.ts';
import { factorRefused } from './proven-factor.ts';
import { RelyingParty } from './relying-party.ts';

/** What a person's authenticator has made, and what they call it. */
export interface PasskeyRegistration {
  name: string;
  response: RegistrationResponse;
}

/** Makes an authenticator a second factor. */
@Injectable()
export class RegisterPasskey {
  constructor(
    private readonly changes: FactorChanges,
    private readonly sweep: SweepTransaction,
    private readonly transaction: PersonTransaction,
    private readonly passkeys: PasskeysRepository,
    private readonly relyingParty: RelyingParty,
  ) {}

  /**
   * @returns The id of the passkey.
   * @throws {@link Problem} 403 `second_factor_refused`
   */
  async execute(
    principal: Principal,
    { name, response }: PasskeyRegistration,
    origin: AuditOrigin,
  ): Promise<string> {
    const userId = await this.changes.allow(principal);
    const made = await this.verify(userId, response);
    const passkey = { ...made, user_id: userId, name };
    const isAdded = await this.transaction.run(userId, origin, async (manager) => {
      const result = await this.passkeys.add(manager, passkey);
      const line = {
        action: 'second_factor.enrolled',
        target: { type: 'user', id: userId },
        outcome: 'success' as const,
        details: { factor: 'passkey', passkey: made.credential_id },
      };
      return result ? { result, line } : { result };
    });
    if (!isAdded) {
      throw factorRefused(new Error('The passkey is registered already.'));
    }
    return made.credential_id;
  }

  private async verify(
    userId: string,
    response: RegistrationResponse,
  ): Promise<Omit<NewPasskey, 'user_id' | 'name'>> {
    const { registrationInfo } = await verifyRegistrationResponse({
      response: asRegistration(response),
      expectedChallenge: await this.useChallenge(userId, response),
      expectedOrigin: this.relyingParty.origin,
      expectedRPID: this.relyingParty.id,
      // As a second factor, it is enough that somebody is there.
      requireUserVerification: false,
    }).catch((error: unknown): VerifiedRegistrationResponse => {
      throw factorRefused(error);
    });
    if (registrationInfo === undefined) {
      throw factorRefused(new Error('The registration does not verify.'));
    }
    const { credential, credentialDeviceType } = registrationInfo;
    return {
      credential_id: credential.id,
      public_key: Buffer.from(credential.publicKey),
      sign_count: credential.counter,
      transports: [...(credential.transports ?? [])],
      is_synced: credentialDeviceType === 'multiDevice',
    };
  }

  private async useChallenge(userId: string, response: RegistrationResponse): Promise<string> {
    const challenge = challengeOf(response);
    const isKnown = await this.sweep.run((manager) =>
      this.passkeys.useChallenge(manager, { challenge, userId, purpose: 'registration' }),
    );
    if (!isKnown) {
      throw factorRefused(new Error('The challenge is unknown, used or too old.'));
    }
    return challenge;
  }
}
