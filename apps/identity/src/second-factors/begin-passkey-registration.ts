import { Injectable } from '@nestjs/common';
import {
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
} from '@simplewebauthn/server';
import type { Principal } from '@soma/contracts';
import { SweepTransaction } from '@soma/persistence';
import { Users } from '../tenancy/users.ts';
import { FactorChanges } from './factor-changes.ts';
import { PasskeysRepository } from './passkeys.repository.ts';
import { RelyingParty } from './relying-party.ts';

/** Says what a person's authenticator is to make a key for. */
@Injectable()
export class BeginPasskeyRegistration {
  constructor(
    private readonly changes: FactorChanges,
    private readonly users: Users,
    private readonly sweep: SweepTransaction,
    private readonly passkeys: PasskeysRepository,
    private readonly relyingParty: RelyingParty,
  ) {}

  async execute(principal: Principal): Promise<PublicKeyCredentialCreationOptionsJSON> {
    const userId = await this.changes.allow(principal);
    const user = await this.users.find(userId);
    return this.sweep.run(async (manager) => {
      const present = await this.passkeys.of(manager, userId);
      const options = await generateRegistrationOptions({
        rpName: this.relyingParty.name,
        rpID: this.relyingParty.id,
        userID: new TextEncoder().encode(userId),
        userName: user?.email ?? userId,
        userDisplayName: user?.display_name ?? userId,
        attestationType: 'none',
        excludeCredentials: present.map(({ credential_id: id, transports }) => ({
          id,
          transports,
        })),
        authenticatorSelection: { residentKey: 'preferred', userVerification: 'preferred' },
      });
      const { challenge } = options;
      await this.passkeys.keepChallenge(manager, { challenge, userId, purpose: 'registration' });
      return options;
    });
  }
}
