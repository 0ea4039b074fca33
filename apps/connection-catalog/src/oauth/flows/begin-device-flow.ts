import { Injectable } from '@nestjs/common';
import { newIdentifier, Problem, Secret } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { TokenSecrets } from '../grants/token-secrets.ts';
import { ProviderClient } from '../protocol/provider-client.ts';
import { assertOnWeb, withProviderProblems } from '../protocol/provider-problem.ts';
import { DEFAULT_POLL_SECONDS } from './device-polling.ts';
import type { FlowStart } from './flow-start.ts';
import { FlowsRepository } from './flows.repository.ts';

/** What a person is shown. */
export interface DeviceFlow {
  userCode: string;
  verificationUri: string;
  verificationUriComplete: string | undefined;
  intervalSeconds: number;
  expiresAt: Date;
}

/** Asks for a code that a person enters on another device (RFC 8628). */
@Injectable()
export class BeginDeviceFlow {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly flows: FlowsRepository,
    private readonly secrets: TokenSecrets,
    private readonly provider: ProviderClient,
  ) {}

  /** @throws {@link Problem} 422 `oauth_grant_not_offered`, `oauth_provider_…`, 502 */
  async execute(start: FlowStart): Promise<DeviceFlow> {
    const { connection, client } = start;
    if (client.device_authorization_endpoint === null) {
      throw new Problem({
        status: 422,
        code: 'oauth_grant_not_offered',
        detail: 'The connection has no device_url, and its provider names none.',
      });
    }
    const proven = await this.secrets.prove(connection, {
      ...{ client, ownVersion: start.clientSecretVersion },
    });
    const answer = await withProviderProblems(() => this.provider.beginDeviceFlow(proven));
    assertOnWeb(answer.verification_uri, answer.verification_uri_complete);
    const { interval: intervalSeconds = DEFAULT_POLL_SECONDS } = answer;
    const expiresAt = await this.store(start, new Secret(answer.device_code), {
      pollSeconds: Math.ceil(intervalSeconds),
      expiresInSeconds: answer.expires_in,
    });
    return {
      ...{ intervalSeconds, expiresAt, userCode: answer.user_code },
      verificationUri: answer.verification_uri,
      verificationUriComplete: answer.verification_uri_complete,
    };
  }

  private async store(
    { connection, client, clientSecretVersion, startedBy }: FlowStart,
    code: Secret,
    { pollSeconds, expiresInSeconds }: { pollSeconds: number; expiresInSeconds: number },
  ): Promise<Date> {
    const version = await this.secrets.writeDeviceCode(connection, code);
    return this.transaction.run(connection.tenant_id, (manager) =>
      this.flows.start(manager, {
        ...{ tenant_id: connection.tenant_id, connection_id: connection.connection_id },
        ...{ flow_id: newIdentifier(), grant_type: 'device_code', client },
        ...{ client_secret_version: clientSecretVersion, started_by: startedBy },
        ...{ redirect_uri: null, state_hash: null, browser_hash: null },
        ...{ device_code_version: version, poll_seconds: pollSeconds },
        expires_in_seconds: expiresInSeconds,
      }),
    );
  }
}
