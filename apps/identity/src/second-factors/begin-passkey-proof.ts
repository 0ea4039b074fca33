import { Injectable } from '@nestjs/common';
import {
  generateAuthenticationOptions,
  type PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server';
import { SweepTransaction } from '@soma/persistence';
import { PasskeysRepository } from './passkeys.repository.ts';
import { RelyingParty } from './relying-party.ts';

/** Says what one of a person's passkeys is to sign. */
@Injectable()
export class BeginPasskeyProof {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly passkeys: PasskeysRepository,
    private readonly relyingParty: RelyingParty,
  ) {}

  execute(userId: string): Promise<PublicKeyCredentialRequestOptionsJSON> {
    return this.sweep.run(async (manager) => {
      const present = await this.passkeys.of(manager, userId);
      const options = await generateAuthenticationOptions({
        rpID: this.relyingParty.id,
        allowCredentials: present.map(({ credential_id: id, transports }) => ({ id, transports })),
        userVerification: 'preferred',
      });
      const { challenge } = options;
      await this.passkeys.keepChallenge(manager, { challenge, userId, purpose: 'proof' });
      return options;
    });
  }
}
