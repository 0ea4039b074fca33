import { ACR } from '@soma/auth';
import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';

const { Check } = interactionPolicy;

/** From the weakest to the strongest. */
const STRENGTHS: readonly string[] = Object.values(ACR);
const REASON = 'acr_values';

/**
 * When a person is asked to sign in, besides the usual: when the client asks for a stronger sign-in
 * than the browser's session is (`acr_values`, RFC 9470 §4).
 */
export function acrCheck(): interactionPolicy.Check {
  const details = ({ oidc }: KoaContextWithOIDC) => ({ signed_in_at: oidc.session?.loginTs });
  return new Check(REASON, 'a stronger sign-in is asked for', isTooWeak, details);
}

/** Whether the person need not say again who they are, and only prove it better. */
export function isStepUpAlone(reasons: readonly string[]): boolean {
  return reasons.length === 1 && reasons[0] === REASON;
}

/** The weakest of those that a client asks for; what it asks for and nobody knows does not count. */
export function leastAcr(wanted: unknown): string | undefined {
  const strengths = typeof wanted === 'string' ? wanted.split(' ').map(strengthOf) : [];
  return STRENGTHS[Math.min(...strengths.filter((strength) => strength >= 0))];
}

/** Whether a sign-in is weaker than what is asked for. */
export function isWeaker(acr: string | undefined, least: string | undefined): boolean {
  return strengthOf(acr) < strengthOf(least);
}

function isTooWeak({ oidc }: KoaContextWithOIDC): boolean {
  const { params, session, result } = oidc;
  // It is a wish (OpenID Connect Core §3.1.2.1): who has no second factor comes back without.
  return result?.login === undefined && isWeaker(session?.acr, leastAcr(params?.['acr_values']));
}

function strengthOf(acr: string | undefined): number {
  return STRENGTHS.indexOf(acr ?? '');
}
