import { Injectable, Logger } from '@nestjs/common';
import type { OAuthConnection } from '../connections/oauth-connections.ts';
import { ProviderClient } from '../protocol/provider-client.ts';
import type { GrantRow } from './grant.ts';
import { TokenSecrets } from './token-secrets.ts';

/** Tells a provider that tokens are to work no more (RFC 7009). */
@Injectable()
export class TellProvider {
  private readonly logger = new Logger(TellProvider.name);

  constructor(
    private readonly secrets: TokenSecrets,
    private readonly provider: ProviderClient,
  ) {}

  /**
   * With the refresh token goes everything that came of it; a token alone goes by itself.
   *
   * @returns Whether it knows now.
   */
  async execute(
    connection: OAuthConnection,
    { client, client_secret_version: ownVersion }: GrantRow,
    tokenVersion: number,
  ): Promise<boolean> {
    const tokens =
      client.revocation_endpoint === null
        ? undefined
        : await this.secrets.read(connection, tokenVersion);
    if (tokens === undefined) {
      return false;
    }
    try {
      const proven = await this.secrets.prove(connection, { client, ownVersion });
      if (tokens.refreshToken !== undefined) {
        await this.provider.revoke(proven, tokens.refreshToken, 'refresh_token');
      }
      await this.provider.revoke(proven, tokens.accessToken, 'access_token');
      return true;
    } catch (error) {
      const message = 'A provider was not told that a grant is revoked.';
      this.logger.warn({ message, name: connection.name, error });
      return false;
    }
  }
}
