/*
 * What becomes of a grant, as pure functions: when its token is renewed, and what each answer of the
 * provider changes.
 *
 *   active ──refused──▶ reauthorization_required
 *     │ ▲
 *     ▼ │ renewed          revoked (by us or by a person there)
 *   expired
 *
 * A refresh token may work once (RFC 9700 §4.14.2), so two things must hold at every moment:
 *
 * - Before a refresh token leaves, the row says so (`sentAt`). It says so until the answer is stored.
 *   Whoever finds the mark on a row that nobody holds knows that an answer was lost: the provider may
 *   have renewed the token and we do not have it. Then the old one is sent again. A provider with a
 *   grace period answers it; one without says `invalid_grant`, and that is the end: a person has to
 *   authorise again. Nothing is tried after that, so nothing loops.
 * - An answer counts for the `generation` that it was asked for, not for the lease: a process that
 *   was frozen while its lease ran out still holds the only good token. Tokens are stored while no
 *   others were; a refusal counts while no others were and the lease is one's own.
 *
 * `dueAt` is null wherever nothing is to be done any more.
 */

/** Where a grant stands. */
export type GrantStatus = 'active' | 'expired' | 'revoked' | 'reauthorization_required';

/** What of a grant decides what becomes of it. */
export interface GrantState {
  status: GrantStatus;
  /** Why it is not `active`; also why it will soon not be. */
  reason: string | null;
  /** Raised with each token that is stored, and with each revocation. */
  generation: number;
  /** Whether there is something to renew it with. */
  isRenewable: boolean;
  expiresAt: Date | null;
  dueAt: Date | null;
  /** When a refresh token left before this try without an answer that is known. */
  sentAt: Date | null;
  /** How often in a row it was not renewed. */
  failures: number;
}

/** What came of asking a provider for a new token. */
export type Renewal =
  | { kind: 'tokens'; expiresInSeconds: number | undefined; isRenewable: boolean }
  /** The grant itself: it is over (RFC 6749 §5.2 `invalid_grant`). */
  | { kind: 'refused'; error: string }
  /** The client, or how it asks: the grant may still hold when that is mended. */
  | { kind: 'misconfigured'; error: string }
  /** No answer, or one that says nothing. */
  | { kind: 'unanswered'; error: string; retryAfterMs: number | undefined };

/** What the decision is made with. */
export interface Moment {
  now: Date;
  /** How long before its expiry a token is renewed. */
  thresholdSeconds: number;
  /** From 0 to 1, so that tokens that were given together are not renewed together. */
  random: number;
}

const FIRST_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 15 * 60_000;
/** The longest that a provider may ask us to stay away. */
const MAX_RETRY_AFTER_MS = 60 * 60_000;

/** A grant whose tokens were just given. */
export function granted(
  generation: number,
  {
    expiresInSeconds,
    isRenewable,
  }: Pick<Extract<Renewal, { kind: 'tokens' }>, 'expiresInSeconds' | 'isRenewable'>,
  moment: Moment,
): GrantState {
  const expiresAt = after(moment.now, expiresInSeconds);
  return {
    status: 'active',
    reason: null,
    generation: generation + 1,
    isRenewable,
    expiresAt,
    dueAt: expiresAt === null ? null : renewalAt(expiresAt, isRenewable, moment),
    sentAt: null,
    failures: 0,
  };
}

/** What an answer changes. The caller stores it if `generation` is still what it was. */
export function afterRenewal(grant: GrantState, renewal: Renewal, moment: Moment): GrantState {
  switch (renewal.kind) {
    case 'tokens':
      return granted(grant.generation, renewal, moment);
    case 'refused':
      return ended(grant, isInDoubt(grant) ? 'refresh_answer_lost' : renewal.error);
    case 'misconfigured':
      return postponed(grant, renewal, moment);
    case 'unanswered':
      return postponed({ ...grant, sentAt: grant.sentAt ?? moment.now }, renewal, moment);
  }
}

/** Whether a refresh token has left before, and what came of it is not known. */
export function isInDoubt({ sentAt }: Pick<GrantState, 'sentAt'>): boolean {
  return sentAt !== null;
}

/** What has expired without anything to renew it, or although it was tried. */
export function afterExpiry(grant: GrantState, now: Date): GrantState {
  if (grant.status !== 'active' || grant.expiresAt === null || grant.expiresAt > now) {
    return grant;
  }
  const reason = grant.isRenewable ? (grant.reason ?? 'not_renewed_in_time') : 'no_refresh_token';
  return { ...grant, status: 'expired', reason, dueAt: grant.isRenewable ? grant.dueAt : null };
}

/** What nobody can use any more, by somebody's will. */
export function revoked(grant: GrantState, reason: string): GrantState {
  return {
    ...grant,
    ...{ status: 'revoked', reason, generation: grant.generation + 1 },
    ...{ isRenewable: false, dueAt: null, sentAt: null, failures: 0 },
  };
}

/** Why a grant is over that was given for something else than its connection is for now. */
export const CONNECTION_CHANGED = 'connection_changed';

/** What was given for something else than its connection is for now. */
export function unbound(grant: GrantState): GrantState {
  return { ...revoked(grant, CONNECTION_CHANGED), status: 'reauthorization_required' };
}

function ended(grant: GrantState, reason: string): GrantState {
  return {
    ...grant,
    ...{ status: 'reauthorization_required', reason, isRenewable: false },
    ...{ dueAt: null, sentAt: null, failures: grant.failures + 1 },
  };
}

function postponed(
  grant: GrantState,
  { error, retryAfterMs }: { error: string; retryAfterMs?: number | undefined },
  { now, random }: Moment,
): GrantState {
  const failures = grant.failures + 1;
  const dueAt = new Date(now.getTime() + pauseAfter(failures, random, retryAfterMs));
  return afterExpiry({ ...grant, reason: error, failures, dueAt }, now);
}

/** How long to leave a provider alone that failed so often in a row. */
export function pauseAfter(failures: number, random: number, retryAfterMs?: number): number {
  const backoffMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 20));
  const asked = Math.min(MAX_RETRY_AFTER_MS, retryAfterMs ?? 0);
  return Math.max(asked, backoffMs * (0.5 + random / 2));
}

/**
 * A threshold before the expiry, or at the half of a token that lives shorter than twice that; up to
 * a tenth of the threshold earlier. What cannot be renewed is looked at when it expires.
 */
function renewalAt(expiresAt: Date, isRenewable: boolean, moment: Moment): Date {
  if (!isRenewable) {
    return expiresAt;
  }
  const lifeMs = expiresAt.getTime() - moment.now.getTime();
  const aheadMs = Math.min(moment.thresholdSeconds * 1000, lifeMs / 2);
  return new Date(expiresAt.getTime() - aheadMs * (1 + moment.random / 10));
}

function after(now: Date, seconds: number | undefined): Date | null {
  return seconds === undefined ? null : new Date(now.getTime() + seconds * 1000);
}
