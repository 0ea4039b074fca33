import { type DynamicModule, Module } from '@nestjs/common';
import { BeginProviderSignIn } from './begin-provider-sign-in.ts';
import { ChooseTenant } from './choose-tenant.ts';
import { CompleteProviderSignIn } from './complete-provider-sign-in.ts';
import { ConfirmLink } from './confirm-link.ts';
import { FinishSignIn } from './finish-sign-in.ts';
import { LinkedAccountsController } from './linked-accounts.controller.ts';
import { LinkedAccountsRepository } from './linked-accounts.repository.ts';
import { ListLinkedAccounts } from './list-linked-accounts.ts';
import { OAuthCallbackController } from './oauth-callback.controller.ts';
import { PasskeyScriptController } from './passkey-script.controller.ts';
import { ProveSecondFactor } from './prove-second-factor.ts';
import { IdentityProviders } from './providers/identity-providers.ts';
import type { ProviderEndpoints } from './providers/provider-endpoints.ts';
import { PROVIDER_PATIENCE } from './providers/provider-requests.ts';
import type { ProviderConfig } from './providers/provider-settings.ts';
import { PublicUrl } from './public-url.ts';
import { RecognisePerson } from './recognise-person.ts';
import { ShowSignIn } from './show-sign-in.ts';
import { SignInController } from './sign-in.controller.ts';
import { SignInSteps } from './sign-in-steps.ts';
import { SignInsRepository } from './sign-ins.repository.ts';
import { TenantSteps } from './tenant-steps.ts';
import { UnlinkAccount } from './unlink-account.ts';

/** What people sign in with, and where. */
export interface SignInOptions {
  settings: ProviderConfig;
  endpoints: ProviderEndpoints;
  /** The address at which browsers reach Soma. */
  publicUrl: string;
}

/** What a sign-in goes through, and what changes the accounts that are linked to a person. */
const STEPS = [
  LinkedAccountsRepository,
  SignInsRepository,
  RecognisePerson,
  BeginProviderSignIn,
  CompleteProviderSignIn,
  SignInSteps,
  ShowSignIn,
  ProveSecondFactor,
  ConfirmLink,
  ChooseTenant,
  TenantSteps,
  FinishSignIn,
  ListLinkedAccounts,
  UnlinkAccount,
];

/** How people sign in: the pages, the providers, and the accounts that are linked to a person. */
@Module({})
export class SignInModule {
  static configure({ settings, endpoints, publicUrl }: SignInOptions): DynamicModule {
    return {
      module: SignInModule,
      controllers: [
        SignInController,
        OAuthCallbackController,
        PasskeyScriptController,
        LinkedAccountsController,
      ],
      providers: [
        { provide: PublicUrl, useFactory: () => new PublicUrl(publicUrl) },
        {
          provide: IdentityProviders,
          useFactory: () =>
            new IdentityProviders(settings, { publicUrl, endpoints, patience: PROVIDER_PATIENCE }),
        },
        ...STEPS,
      ],
    };
  }
}
