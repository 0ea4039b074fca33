import { ACR } from '@soma/auth';
import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';

const { base, Check } = interactionPolicy;

/** From the weakest to the strongest. */
const STRENGTHS: readonly string[] = Object.values(ACR);

/**
 * When a person is asked to sign in: besides the usual, when the client asks for a stronger sign-in
 * than the browser's session is (`acr_values`, RFC 9470 §4).
 */
export function interactionPolicyWithAcr(): interactionPolicy.DefaultPolicy {
  const policy = base();
  policy.get('login')?.checks.add(
    new Check('acr_values', 'a stronger sign-in is asked for', isTooWeak, ({ oidc }) => ({
      acr_values: oidc.params?.['acr_values'],
    })),
  );
  return policy;
}

function isTooWeak({ oidc }: KoaContextWithOIDC): boolean {
  const { params, session, result } = oidc;
  const wanted = params?.['acr_values'];
  // It is a wish (OpenID Connect Core §3.1.2.1): who has no second factor comes back without.
  if (typeof wanted !== 'string' || result?.login !== undefined) {
    return false;
  }
  const strengths = wanted.split(' ').map((acr) => STRENGTHS.indexOf(acr));
  const least = Math.min(...strengths.filter((strength) => strength >= 0));
  return Number.isFinite(least) && STRENGTHS.indexOf(session?.acr ?? '') < least;
}
