import { type DynamicModule, Module } from '@nestjs/common';
import { PersonTransaction } from '../people/person-transaction.ts';
import { BeginPasskeyProof } from './begin-passkey-proof.ts';
import { BeginPasskeyRegistration } from './begin-passkey-registration.ts';
import { ConfirmTotp } from './confirm-totp.ts';
import { EnrolTotp } from './enrol-totp.ts';
import { FactorChanges } from './factor-changes.ts';
import { ListPasskeys } from './list-passkeys.ts';
import { PasskeysController } from './passkeys.controller.ts';
import { PasskeysRepository } from './passkeys.repository.ts';
import { RegisterPasskey } from './register-passkey.ts';
import { RelyingParty } from './relying-party.ts';
import { RemovePasskey } from './remove-passkey.ts';
import { RemoveTotp } from './remove-totp.ts';
import { RenewRecoveryCodes } from './renew-recovery-codes.ts';
import { SecondFactorTries } from './second-factor-tries.ts';
import { SecondFactorsController } from './second-factors.controller.ts';
import { SecondFactorsRepository } from './second-factors.repository.ts';
import { StepUpController } from './step-up.controller.ts';
import { VerifyCode } from './verify-code.ts';
import { VerifyPasskey } from './verify-passkey.ts';

/** What people prove themselves with besides their sign-in: apps, passkeys and recovery codes. */
@Module({})
export class SecondFactorsModule {
  /** @param publicUrl - The address at which browsers reach Soma. */
  static configure(publicUrl: string): DynamicModule {
    return {
      module: SecondFactorsModule,
      global: true,
      controllers: [SecondFactorsController, PasskeysController, StepUpController],
      providers: [
        { provide: RelyingParty, useFactory: () => new RelyingParty(publicUrl) },
        PersonTransaction,
        SecondFactorTries,
        SecondFactorsRepository,
        PasskeysRepository,
        FactorChanges,
        EnrolTotp,
        ConfirmTotp,
        RemoveTotp,
        RenewRecoveryCodes,
        ListPasskeys,
        BeginPasskeyRegistration,
        RegisterPasskey,
        RemovePasskey,
        BeginPasskeyProof,
        VerifyCode,
        VerifyPasskey,
      ],
      exports: [BeginPasskeyProof, FactorChanges, PersonTransaction, VerifyCode, VerifyPasskey],
    };
  }
}
