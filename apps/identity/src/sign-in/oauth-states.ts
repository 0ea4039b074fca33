/*
 * What binds the way to a provider and back to one browser.
 *
 * The cookie `oauthState` holds, encrypted, everything that must be true of what comes back: the
 * state, the nonce, the PKCE verifier, for which sign-in it is and until when. Nothing is stored while
 * a person is away, so that nobody can fill the database by starting sign-ins. What is stored is that
 * a state has come back, so that it comes back once.
 *
 * A cookie is good for the one provider that it was sealed for: what another provider sends back does
 * not open it (mix-up, RFC 9700 §4.4).
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { Secret } from '@soma/kernel';
import type { Envelope, SealContext } from '@soma/secrets';
import { generateCodeVerifier, generateState } from 'arctic';
import { z } from 'zod';
import type { ProviderName } from './providers/identity-provider.ts';

/** How long a person may be away. */
export const STATE_SECONDS = 600;

const attempt = z.object({
  interaction: z.string(),
  state: z.string(),
  nonce: z.string(),
  codeVerifier: z.string(),
  expiresAt: z.int(),
});
/** One way to a provider and back. */
export type SignInAttempt = z.output<typeof attempt>;

/** Why what came back is not believed. A metric's label. */
export type StateFault = 'missing' | 'unreadable' | 'mismatch' | 'expired' | 'reused';

/** What came back was not asked for by this browser, or not now. */
export class StateError extends Error {
  override readonly name = 'StateError';

  constructor(readonly fault: StateFault) {
    super(`The state of a sign-in does not hold: ${fault}.`);
  }
}

/** Begins an attempt for a sign-in under way. */
export function newAttempt(interaction: string, nowMs: number): SignInAttempt {
  return {
    interaction,
    state: generateState(),
    nonce: randomBytes(32).toString('base64url'),
    codeVerifier: generateCodeVerifier(),
    expiresAt: nowMs + STATE_SECONDS * 1000,
  };
}

/** The value of the cookie. */
export function sealAttempt(
  envelope: Envelope,
  provider: ProviderName,
  attempt: SignInAttempt,
): string {
  return envelope.seal(new Secret(JSON.stringify(attempt)), contextOf(provider));
}

/** What a browser and a provider bring back. */
export interface Returned {
  provider: ProviderName;
  /** The value of the cookie. */
  sealed: string | undefined;
  state: string | undefined;
}

/** The attempt that came back. @throws {@link StateError} */
export function openAttempt(
  envelope: Envelope,
  { provider, sealed, state = '' }: Returned,
  nowMs: number,
): SignInAttempt {
  if (sealed === undefined) {
    throw new StateError('missing');
  }
  const opened = open(envelope, provider, sealed);
  if (!isSame(opened.state, state)) {
    throw new StateError('mismatch');
  }
  if (opened.expiresAt <= nowMs) {
    throw new StateError('expired');
  }
  return opened;
}

function open(envelope: Envelope, provider: ProviderName, sealed: string): SignInAttempt {
  try {
    return attempt.parse(JSON.parse(envelope.open(sealed, contextOf(provider)).reveal()));
  } catch {
    throw new StateError('unreadable');
  }
}

function isSame(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function contextOf(provider: ProviderName): SealContext {
  return ['identity.oauth_state', provider];
}
