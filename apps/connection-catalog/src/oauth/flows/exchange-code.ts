import { Injectable } from '@nestjs/common';
import type { OAuthConnection } from '../connections/oauth-connections.ts';
import { StoreGrant } from '../grants/store-grant.ts';
import { TokenSecrets } from '../grants/token-secrets.ts';
import { readReturn, ReturnError } from '../protocol/authorization-url.ts';
import { type GivenTokens, ProviderClient } from '../protocol/provider-client.ts';
import { renewalOf } from '../protocol/provider-error.ts';
import { type FlowRow, FlowsRepository } from './flows.repository.ts';

/** A way to a provider that has come back to the browser that started it. */
export interface ReturnedFlow {
  flow: FlowRow;
  connection: OAuthConnection;
  parameters: URLSearchParams;
  state: string;
  codeVerifier: string;
}

/** What became of it, for the person who waits before the browser. */
export type CodeFlowOutcome =
  | { kind: 'authorized'; connectionName: string }
  /** Not started in this browser, done already, or too long ago. */
  | { kind: 'unknown' }
  /** The provider or the person said no. */
  | { kind: 'refused'; error: string }
  /** Somebody else answers in the provider's name. */
  | { kind: 'wrong_issuer' }
  /** The code was not traded for a token. */
  | { kind: 'failed'; error: string };

/** Trades the code that a browser brought back for tokens, once. */
@Injectable()
export class ExchangeCode {
  constructor(
    private readonly secrets: TokenSecrets,
    private readonly provider: ProviderClient,
    private readonly storing: StoreGrant,
    private readonly flows: FlowsRepository,
  ) {}

  async execute(returned: ReturnedFlow): Promise<CodeFlowOutcome> {
    const { flow, connection } = returned;
    const tokens = await this.ask(returned).catch(outcomeOf);
    if ('kind' in tokens) {
      return tokens;
    }
    await this.storing.execute(
      {
        ...{ connection, tokens, client: flow.client, authorizedBy: flow.started_by },
        ...{ grantType: 'authorization_code', clientSecretVersion: flow.client_secret_version },
      },
      (manager) => this.flows.remove(manager, flow.flow_id),
    );
    return { kind: 'authorized', connectionName: connection.name };
  }

  private async ask(returned: ReturnedFlow): Promise<GivenTokens> {
    const { flow, connection, state, codeVerifier } = returned;
    const parameters = readReturn(flow.client, returned.parameters, state);
    const proven = await this.secrets.prove(connection, {
      ...{ client: flow.client, ownVersion: flow.client_secret_version },
    });
    return this.provider.exchangeCode(proven, {
      ...{ parameters, codeVerifier },
      redirectUri: flow.redirect_uri ?? '',
    });
  }
}

function outcomeOf(error: unknown): CodeFlowOutcome {
  if (!(error instanceof ReturnError)) {
    return { kind: 'failed', error: renewalOf(error).error };
  }
  switch (error.fault) {
    case 'refused':
      return { kind: 'refused', error: error.error ?? 'access_denied' };
    case 'wrong_issuer':
      return { kind: 'wrong_issuer' };
    case 'malformed':
      return { kind: 'failed', error: 'malformed_answer' };
  }
}
