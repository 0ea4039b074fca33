import { Injectable } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import { type OAuthConnection, OAuthConnections } from '../connections/oauth-connections.ts';
import { StoreGrant } from '../grants/store-grant.ts';
import { TokenSecrets } from '../grants/token-secrets.ts';
import { type GivenTokens, ProviderClient } from '../protocol/provider-client.ts';
import { ProviderRefusal } from '../protocol/provider-error.ts';
import type { PollAnswer } from './device-polling.ts';
import { type FlowRow, FlowsRepository } from './flows.repository.ts';

/** Asks once for one code, and stores what it gives. */
@Injectable()
export class PollDevice {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: OAuthConnections,
    private readonly secrets: TokenSecrets,
    private readonly provider: ProviderClient,
    private readonly storing: StoreGrant,
    private readonly flows: FlowsRepository,
  ) {}

  async execute(flow: FlowRow): Promise<'granted' | PollAnswer> {
    const connection = await this.connectionOf(flow);
    if (connection === undefined) {
      return { kind: 'refused', error: 'connection_deleted' };
    }
    const tokens = await this.ask(flow, connection).catch(answerOf);
    if ('kind' in tokens) {
      return tokens;
    }
    await this.storing.execute(
      {
        ...{ connection, tokens, client: flow.client, authorizedBy: flow.started_by },
        ...{ grantType: 'device_code', clientSecretVersion: flow.client_secret_version },
      },
      (manager) => this.flows.remove(manager, flow.flow_id),
    );
    return 'granted';
  }

  private async ask(flow: FlowRow, connection: OAuthConnection): Promise<GivenTokens> {
    const { client, client_secret_version: ownVersion, device_code_version: version } = flow;
    const proven = await this.secrets.prove(connection, { client, ownVersion });
    const code = await this.secrets.readDeviceCode(connection, version ?? 0);
    if (code === undefined) {
      throw new ProviderRefusal('device_code_missing', 'Reading a device code');
    }
    return this.provider.pollDevice(proven, code);
  }

  private connectionOf(flow: FlowRow): Promise<OAuthConnection | undefined> {
    return this.transaction.run(flow.tenant_id, async (manager) => {
      const found = await this.connections.read(manager, [flow.connection_id]);
      return found.get(flow.connection_id);
    });
  }
}

function answerOf(error: unknown): PollAnswer {
  return error instanceof ProviderRefusal
    ? { kind: 'refused', error: error.error }
    : { kind: 'unanswered' };
}
