import type { OAuthConnection } from '../connections/oauth-connections.ts';
import type { OAuthClient } from '../protocol/oauth-client.ts';

/** What every way to a grant begins with. */
export interface FlowStart {
  connection: OAuthConnection;
  client: OAuthClient;
  /** The version of the secret of a client that Soma registered by itself. */
  clientSecretVersion: number | null;
  /** The subject who starts it. */
  startedBy: string;
}
