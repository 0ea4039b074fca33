import { Injectable } from '@nestjs/common';
import { Problem, type Secret, sleep } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { ClaimGrants } from './claim-grants.ts';
import { type GrantRow, notAuthorized, stateOf } from './grant.ts';
import { GrantsRepository } from './grants.repository.ts';
import { ProviderPauses } from './provider-pauses.ts';
import { RenewGrant } from './renew-grant.ts';
import { type Owner, TokenSecrets } from './token-secrets.ts';

/** How long a caller waits for a token to be renewed. */
const WAIT_MS = 30_000;
const POLL_MS = 100;
/** A token that ends sooner than this is not handed out: it would not arrive in time. */
const LEEWAY_MS = 5_000;

/** A token that holds, and how long. */
export interface AccessToken {
  token: Secret;
  /** Null: it does not say. */
  expiresAt: Date | null;
}

/**
 * Hands out the tokens of connections. One that has expired is renewed first, and whoever asks waits:
 * all of a process together, and behind the one process that renews it.
 */
@Injectable()
export class AccessTokens {
  private readonly waiting = new Map<string, Promise<AccessToken>>();

  constructor(
    private readonly transaction: TenantTransaction,
    private readonly grants: GrantsRepository,
    private readonly pauses: ProviderPauses,
    private readonly claiming: ClaimGrants,
    private readonly renewing: RenewGrant,
    private readonly secrets: TokenSecrets,
  ) {}

  /**
   * @throws {@link Problem} 409 `connection_not_authorized` or `connection_reauthorization_required`,
   *   502 `credential_unavailable`, 503 `connection_token_unavailable` while its provider does not
   *   answer
   */
  async find(owner: Owner): Promise<AccessToken> {
    const id = `${owner.tenant_id}:${owner.connection_id}`;
    const found = this.waiting.get(id) ?? this.findOrRenew(owner);
    this.waiting.set(id, found);
    try {
      return await found;
    } finally {
      this.waiting.delete(id);
    }
  }

  private async findOrRenew(owner: Owner): Promise<AccessToken> {
    const deadline = Date.now() + WAIT_MS;
    let first: GrantRow | undefined;
    while (Date.now() < deadline) {
      const grant = await this.read(owner);
      first ??= grant;
      // Providers may give tokens that are shorter-lived than our leeway.
      if (isGood(grant, grant.generation === first.generation ? LEEWAY_MS : 0)) {
        return this.open(grant);
      }
      assertRenewable(grant);
      // Somebody has tried since, or has just tried: to ask again at once would be to push.
      if (grant.failures > first.failures || isPostponed(grant)) {
        throw unavailable(grant.due_at);
      }
      await within(deadline - Date.now(), this.renewOrWait(grant));
    }
    throw unavailable(null);
  }

  private async renewOrWait(grant: GrantRow): Promise<void> {
    const { tenant_id, client } = grant;
    const claimed = await this.transaction.run(tenant_id, async (manager) => {
      const until = await this.pauses.find(manager, client.token_endpoint);
      if (until !== undefined) {
        throw unavailable(until);
      }
      return this.claiming.one(manager, grant);
    });
    await (claimed === undefined ? sleep(POLL_MS) : this.renewing.execute(claimed));
  }

  private async read({ tenant_id, connection_id }: Owner): Promise<GrantRow> {
    const grant = await this.transaction.run(tenant_id, (manager) =>
      this.grants.find(manager, connection_id),
    );
    if (grant === undefined) {
      throw notAuthorized();
    }
    return grant;
  }

  private async open(grant: GrantRow): Promise<AccessToken> {
    const { accessToken } = await this.secrets.open(grant, grant.token_version);
    return { token: accessToken, expiresAt: grant.expires_at };
  }
}

/** What takes longer goes on by itself. */
async function within(limitMs: number, work: Promise<void>): Promise<void> {
  const done = new AbortController();
  try {
    await Promise.race([work, sleep(limitMs, done.signal)]);
  } finally {
    done.abort();
  }
}

function isGood({ status, expires_at }: GrantRow, leewayMs: number): boolean {
  return (
    status === 'active' && (expires_at === null || expires_at.getTime() - leewayMs > Date.now())
  );
}

function isPostponed({ failures, due_at }: GrantRow): boolean {
  return failures > 0 && due_at !== null && due_at.getTime() > Date.now();
}

function assertRenewable(grant: GrantRow): void {
  const { isRenewable, reason } = stateOf(grant);
  if (!isRenewable) {
    throw new Problem({
      status: 409,
      code: 'connection_reauthorization_required',
      detail:
        `The authorisation of this connection is over (${reason ?? 'expired'}). ` +
        'Start it again with POST /api/v1/oauth/initiate.',
    });
  }
}

function unavailable(until: Date | null): Problem {
  const waitMs = (until?.getTime() ?? 0) - Date.now();
  return new Problem({
    status: 503,
    code: 'connection_token_unavailable',
    detail:
      'The token of this connection has expired, and its provider does not answer. Try again later.',
    retryAfterSeconds: Math.max(1, waitMs / 1000),
  });
}
