import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { Outbound } from '@soma/http';
import { TenantTransaction } from '@soma/persistence';
import type { CatalogConfig } from '../catalog.config.ts';
import { TOKEN_SOURCE } from '../connections/token-source.ts';
import { FindClient } from './connections/find-client.ts';
import { OAuthConnections } from './connections/oauth-connections.ts';
import { BeginCodeFlow } from './flows/begin-code-flow.ts';
import { BeginDeviceFlow } from './flows/begin-device-flow.ts';
import { CompleteCodeFlow } from './flows/complete-code-flow.ts';
import { ExchangeCode } from './flows/exchange-code.ts';
import { FlowSweep } from './flows/flow-sweep.ts';
import { FlowsRepository } from './flows/flows.repository.ts';
import { GrantClientCredentials } from './flows/grant-client-credentials.ts';
import { PollDeviceFlow } from './flows/poll-device-flow.ts';
import { PollDevice } from './flows/poll-device.ts';
import { PrepareFlow } from './flows/prepare-flow.ts';
import { AccessTokens } from './grants/access-tokens.ts';
import { AskForTokens } from './grants/ask-for-tokens.ts';
import { ClaimGrants } from './grants/claim-grants.ts';
import { DropUncounted } from './grants/drop-uncounted.ts';
import { EndGrant } from './grants/end-grant.ts';
import { ForgetTokens } from './grants/forget-tokens.ts';
import { GrantEvents } from './grants/grant-events.ts';
import { GrantLeases } from './grants/grant-leases.ts';
import { GrantsRepository } from './grants/grants.repository.ts';
import { ProviderPauses } from './grants/provider-pauses.ts';
import { HeldGrantsRepository } from './grants/held-grants.repository.ts';
import { RenewGrant } from './grants/renew-grant.ts';
import { RenewalMoment } from './grants/renewal-moment.ts';
import { RenewalSweep } from './grants/renewal-sweep.ts';
import { StoreGrant } from './grants/store-grant.ts';
import { StoreRenewals } from './grants/store-renewals.ts';
import { TellProvider } from './grants/tell-provider.ts';
import { TokenSecrets } from './grants/token-secrets.ts';
import { CallbackUrl, InitiateAuthorization } from './initiate-authorization.ts';
import { OAuthController } from './oauth.controller.ts';
import { Discovery } from './protocol/discovery.ts';
import {
  type OutboundFetch,
  PROVIDER_TIMEOUT_MS,
  ProviderClient,
} from './protocol/provider-client.ts';
import { ReadStatus } from './read-status.ts';
import { RevokeGrant } from './revoke-grant.ts';

/** Authorises connections at their providers, and keeps their tokens good. */
@Module({})
export class OAuthModule {
  static configure(config: CatalogConfig): DynamicModule {
    const callbackUrl = new CallbackUrl(callbackOf(config));
    const threshold = config.INTEGRATIONS_OAUTH_AUTO_REFRESH_THRESHOLD_SECONDS;
    return {
      module: OAuthModule,
      global: true,
      controllers: [OAuthController],
      providers: [
        ...PROVIDERS,
        { provide: TOKEN_SOURCE, useExisting: AccessTokens },
        ...configured(config, callbackUrl.href),
        { provide: CallbackUrl, useValue: callbackUrl },
        { provide: RenewalMoment, useValue: new RenewalMoment(threshold) },
        {
          provide: ProviderClient,
          inject: [Outbound],
          useFactory: (outbound: Outbound) =>
            new ProviderClient((url, request) => outbound.exchange(url, { ...request, ...LIMITS })),
        },
        {
          provide: Discovery,
          inject: [Outbound],
          useFactory: (outbound: Outbound) => new Discovery(wayOut(outbound)),
        },
      ],
      exports: [AccessTokens, EndGrant, ReadStatus, TOKEN_SOURCE],
    };
  }
}

/** What takes settings beside what is injected. */
function configured(config: CatalogConfig, redirectUri: string): Provider[] {
  const clients = { redirectUri, isPkceRequired: config.INTEGRATIONS_OAUTH_PKCE_REQUIRED };
  const stateExpirySeconds = config.INTEGRATIONS_OAUTH_STATE_EXPIRY_SECONDS;
  return [
    {
      provide: FindClient,
      inject: [Discovery],
      useFactory: (discovery: Discovery) => new FindClient(discovery, clients),
    },
    {
      provide: BeginCodeFlow,
      inject: [TenantTransaction, FlowsRepository],
      useFactory: (transaction: TenantTransaction, flows: FlowsRepository) =>
        new BeginCodeFlow(transaction, flows, { redirectUri, stateExpirySeconds }),
    },
  ];
}

const PROVIDERS = [
  AccessTokens,
  AskForTokens,
  BeginDeviceFlow,
  ClaimGrants,
  CompleteCodeFlow,
  EndGrant,
  ExchangeCode,
  FlowSweep,
  FlowsRepository,
  ForgetTokens,
  GrantClientCredentials,
  GrantEvents,
  GrantLeases,
  GrantsRepository,
  HeldGrantsRepository,
  InitiateAuthorization,
  OAuthConnections,
  PollDevice,
  PollDeviceFlow,
  PrepareFlow,
  ProviderPauses,
  ReadStatus,
  RenewGrant,
  RenewalSweep,
  RevokeGrant,
  StoreGrant,
  StoreRenewals,
  DropUncounted,
  TellProvider,
  TokenSecrets,
];

/** Where providers send browsers back to: an address of Soma as browsers know it. */
function callbackOf({ API_BASE_URL, IDENTITY_ISSUER }: CatalogConfig): string {
  return new URL('/api/v1/oauth/callback', API_BASE_URL ?? IDENTITY_ISSUER).href;
}

/** A token, a code or a secret is sent to whom the connection names, and to nobody else. */
function wayOut(outbound: Outbound): OutboundFetch {
  return (url, init) => outbound.fetch(url, { ...init, ...LIMITS, redirect: 'manual' });
}

/** No answer of a token endpoint or of discovery is nearly as long. */
const LIMITS = { maxBytes: 1_048_576, timeoutMs: PROVIDER_TIMEOUT_MS } as const;
