import { Injectable } from '@nestjs/common';
import type { OAuthConnection } from '../connections/oauth-connections.ts';
import {
  type GivenTokens,
  PROVIDER_TIMEOUT_MS,
  ProviderClient,
  type ProvenClient,
} from '../protocol/provider-client.ts';
import { renewalOf } from '../protocol/provider-error.ts';
import { type HeldGrant, LEASE_MS } from './grant.ts';
import { GrantLeases } from './grant-leases.ts';
import { isInDoubt, type Renewal } from './grant-lifecycle.ts';
import { keeping, KeepingFailure, READING, WRITING } from './keeping.ts';
import { type KeptTokens, toKept, TokenSecrets } from './token-secrets.ts';

/** What came of asking for one grant. */
export interface AskedTokens {
  renewal: Renewal;
  /** Where the tokens lie by now; undefined where there are none, or none so far. */
  tokenVersion?: number;
  /** Tokens that are still to be kept, with the row that counts them. */
  unwritten?: KeptTokens;
  scope?: string | undefined;
  /** Whether it is the provider that did not answer. */
  isProviderSilent?: boolean;
}

/**
 * Asks a provider for a new token, and makes it durable where that is not done with its row.
 *
 * Between that and the row which says that the token counts, a process may die. So each token that is
 * kept says of which generation it is: whoever takes such a grant over finds a token that is one ahead
 * of the row, and takes it instead of asking again.
 */
@Injectable()
export class AskForTokens {
  constructor(
    private readonly secrets: TokenSecrets,
    private readonly provider: ProviderClient,
    private readonly leases: GrantLeases,
  ) {}

  /** Undefined where nothing was sent: the lease would end before the answer, so it is let run out. */
  async execute(held: HeldGrant, connection: OAuthConnection): Promise<AskedTokens | undefined> {
    try {
      return (await this.adoptLost(held)) ?? (await this.askAnew(held, connection));
    } catch (error) {
      if (!(error instanceof KeepingFailure)) {
        throw error;
      }
      const reason = 'secret_backend_unavailable';
      return { renewal: { kind: 'unanswered', error: reason, retryAfterMs: undefined } };
    }
  }

  private async adoptLost(held: HeldGrant): Promise<AskedTokens | undefined> {
    const { row, state } = held;
    if (!isInDoubt(state)) {
      return undefined;
    }
    const newest = await keeping(READING, () => this.secrets.read(row));
    if (newest?.generation !== state.generation + 1) {
      return undefined;
    }
    return this.keep(held, newest);
  }

  private async askAnew(
    held: HeldGrant,
    connection: OAuthConnection,
  ): Promise<AskedTokens | undefined> {
    const { row, state } = held;
    const kept = await keeping(READING, () => this.secrets.read(row, row.token_version));
    const proven = await keeping(READING, () =>
      this.secrets.prove(connection, {
        client: row.client,
        ownVersion: row.client_secret_version,
      }),
    );
    // Only now: the backend may have taken its time, and whoever takes over sends the same token.
    if (performance.now() - held.claimedAt > LEASE_MS - PROVIDER_TIMEOUT_MS) {
      return undefined;
    }
    const given = await this.request(held, proven, kept);
    return 'kind' in given
      ? { renewal: given, isProviderSilent: given.kind === 'unanswered' }
      : this.keep(held, toKept(given, state.generation + 1, kept));
  }

  private async request(
    { row }: HeldGrant,
    proven: ProvenClient,
    kept: KeptTokens | undefined,
  ): Promise<GivenTokens | Exclude<Renewal, { kind: 'tokens' }>> {
    try {
      if (row.grant_type === 'client_credentials') {
        return await this.provider.clientCredentials(proven);
      }
      return kept?.refreshToken === undefined
        ? { kind: 'refused', error: 'refresh_token_missing' }
        : await this.provider.refresh(proven, kept.refreshToken);
    } catch (error) {
      return renewalOf(error);
    }
  }

  private async keep(held: HeldGrant, tokens: KeptTokens): Promise<AskedTokens> {
    const { row } = held;
    const kept = this.secrets.isTransactional
      ? { unwritten: tokens }
      : { tokenVersion: await this.write(held, tokens) };
    const { expiresAt, scope, refreshToken } = tokens;
    const lifeMs = expiresAt && Math.max(0, expiresAt.getTime() - Date.now());
    const renewal: Renewal = {
      kind: 'tokens',
      expiresInSeconds: lifeMs && lifeMs / 1000,
      isRenewable: refreshToken !== undefined || row.grant_type === 'client_credentials',
    };
    return { renewal, scope, ...kept };
  }

  private write(held: HeldGrant, tokens: KeptTokens): Promise<number> {
    return this.leases.during(held, () =>
      keeping(WRITING, () => this.secrets.write(held.row, tokens)),
    );
  }
}
