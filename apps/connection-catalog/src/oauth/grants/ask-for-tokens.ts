import { Injectable } from '@nestjs/common';
import { retryTransient, TransientError } from '@soma/kernel';
import type { OAuthConnection } from '../connections/oauth-connections.ts';
import {
  type GivenTokens,
  ProviderClient,
  type ProvenClient,
} from '../protocol/provider-client.ts';
import { renewalOf } from '../protocol/provider-error.ts';
import type { HeldGrant } from './grant.ts';
import { isInDoubt, type Renewal } from './grant-lifecycle.ts';
import { type KeptTokens, toKept, TokenSecrets } from './token-secrets.ts';

/** What came of asking for one grant. */
export interface AskedTokens {
  renewal: Renewal;
  /** Where the tokens lie by now; undefined where there are none. */
  tokenVersion?: number;
  scope?: string | undefined;
  /** Whether it is the provider that did not answer. */
  isProviderSilent?: boolean;
}

/**
 * Asks a provider for a new token and makes it durable.
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
  ) {}

  async execute(held: HeldGrant, connection: OAuthConnection): Promise<AskedTokens> {
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

  private async adoptLost({ row, state }: HeldGrant): Promise<AskedTokens | undefined> {
    if (!isInDoubt(state)) {
      return undefined;
    }
    const newest = await keeping(() => this.secrets.read(row));
    if (newest?.generation !== state.generation + 1) {
      return undefined;
    }
    return this.keep({ row, state }, newest);
  }

  private async askAnew(held: HeldGrant, connection: OAuthConnection): Promise<AskedTokens> {
    const { row, state } = held;
    const kept = await keeping(() => this.secrets.read(row, row.token_version));
    const proven = await keeping(() =>
      this.secrets.prove(row, {
        client: row.client,
        ownVersion: row.client_secret_version,
        fieldVersion: connection.client_secret_version,
      }),
    );
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

  private async keep({ row }: HeldGrant, tokens: KeptTokens): Promise<AskedTokens> {
    const tokenVersion = await keeping(() => this.secrets.write(row, tokens));
    const { expiresAt, scope, refreshToken } = tokens;
    const lifeMs = expiresAt && Math.max(0, expiresAt.getTime() - Date.now());
    const renewal: Renewal = {
      kind: 'tokens',
      expiresInSeconds: lifeMs && lifeMs / 1000,
      isRenewable: refreshToken !== undefined || row.grant_type === 'client_credentials',
    };
    return { renewal, tokenVersion, scope };
  }
}

/** The secret backend failed: nobody knows less than before, and the provider is not to blame. */
class KeepingFailure extends Error {
  override readonly name = 'KeepingFailure';
}

/** A token that a provider gave once is worth some tries. */
async function keeping<Result>(work: () => Promise<Result>): Promise<Result> {
  const patiently = (): Promise<Result> =>
    work().catch((cause: unknown) => {
      throw new TransientError('The secret backend', { cause });
    });
  return retryTransient(patiently, { attempts: 4, maxDelayMs: 1000 }).catch((cause: unknown) => {
    throw new KeepingFailure('The secret backend did not keep a token.', { cause });
  });
}
