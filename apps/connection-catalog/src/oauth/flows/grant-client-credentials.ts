import { Injectable } from '@nestjs/common';
import { StoreGrant } from '../grants/store-grant.ts';
import { TokenSecrets } from '../grants/token-secrets.ts';
import { ProviderClient } from '../protocol/provider-client.ts';
import { withProviderProblems } from '../protocol/provider-problem.ts';
import type { FlowStart } from './flow-start.ts';

/** Gets a token for the client itself (RFC 6749 §4.4): nobody is asked. */
@Injectable()
export class GrantClientCredentials {
  constructor(
    private readonly secrets: TokenSecrets,
    private readonly provider: ProviderClient,
    private readonly storing: StoreGrant,
  ) {}

  /** @throws {@link Problem} 422 `oauth_provider_refused`, 502 `oauth_provider_unreachable` */
  async execute({ connection, client, clientSecretVersion, startedBy }: FlowStart): Promise<void> {
    const proven = await this.secrets.prove(connection, {
      ...{ client, ownVersion: clientSecretVersion },
    });
    const tokens = await withProviderProblems(() => this.provider.clientCredentials(proven));
    await this.storing.execute({
      ...{ connection, client, clientSecretVersion, tokens },
      ...{ grantType: 'client_credentials', authorizedBy: startedBy },
    });
  }
}
