import { Injectable } from '@nestjs/common';
import { newIdentifier, Problem } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { authorizationUrl } from '../protocol/authorization-url.ts';
import { codeVerifierOf, fingerprintOf, newNonce } from '../protocol/pkce.ts';
import type { FlowStart } from './flow-start.ts';
import { FlowsRepository } from './flows.repository.ts';

/** Where a browser is to go, and what it must bring back. */
export interface CodeFlow {
  authorizationUrl: string;
  expiresAt: Date;
  /** Names the cookie; not secret. */
  flowId: string;
  /** The value of the cookie: only a browser that has it can finish. */
  browserKey: string;
}

/** What is decided by the service. */
export interface CodeFlowSettings {
  redirectUri: string;
  stateExpirySeconds: number;
}

/** Sends a browser to ask a person (RFC 6749 §4.1), bound to that browser, to the tenant and to one use. */
@Injectable()
export class BeginCodeFlow {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly flows: FlowsRepository,
    private readonly settings: CodeFlowSettings,
  ) {}

  /** @throws {@link Problem} 422 `oauth_grant_not_offered` */
  async execute(start: FlowStart): Promise<CodeFlow> {
    const { authorization_endpoint } = start.client;
    if (authorization_endpoint === null) {
      throw new Problem({
        status: 422,
        code: 'oauth_grant_not_offered',
        detail: 'The connection has no auth_url, and its provider names none.',
      });
    }
    const [state, browserKey, flowId] = [newNonce(), newNonce(), newIdentifier()];
    const expiresAt = await this.store(start, { state, browserKey, flowId });
    const url = authorizationUrl(
      { ...start.client, authorization_endpoint },
      {
        ...{ state, codeVerifier: codeVerifierOf(browserKey, state) },
        redirectUri: this.settings.redirectUri,
      },
    );
    return { authorizationUrl: url, expiresAt, flowId, browserKey };
  }

  /** Stores what must be true of whoever comes back, and nothing to come back with. */
  private store(
    { connection, client, clientSecretVersion, startedBy }: FlowStart,
    { state, browserKey, flowId }: { state: string; browserKey: string; flowId: string },
  ): Promise<Date> {
    const { redirectUri, stateExpirySeconds } = this.settings;
    return this.transaction.run(connection.tenant_id, (manager) =>
      this.flows.start(manager, {
        ...{ tenant_id: connection.tenant_id, connection_id: connection.connection_id },
        ...{ flow_id: flowId, grant_type: 'authorization_code', client },
        ...{ client_secret_version: clientSecretVersion, started_by: startedBy },
        ...{ redirect_uri: redirectUri, expires_in_seconds: stateExpirySeconds },
        ...{ state_hash: fingerprintOf(state), browser_hash: fingerprintOf(browserKey) },
        ...{ device_code_version: null, poll_seconds: null },
      }),
    );
  }
}
