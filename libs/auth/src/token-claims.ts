import { type MemberRole, type Principal, principal } from '@soma/contracts';
import { CLIENT_IDENTIFIER } from '@soma/kernel';
import { z } from 'zod';

/** How far the clocks of two machines may be apart. */
export const CLOCK_LEEWAY_SECONDS = 10;

/** The claim that names the API key which a token was obtained with. */
const API_KEY_CLAIM = 'api_key_id';

/** A principal whose names can stand wherever names stand. */
export const wellFormedPrincipal = principal.extend({
  /** The same form everywhere, as it becomes part of keys and paths. */
  tenant_id: z.string().regex(CLIENT_IDENTIFIER),
  /** OpenID Connect Core §2 allows 255; control characters would not survive logs or Postgres. */
  subject: z.string().regex(/^\P{Cc}{1,255}$/u),
});

/** What a token must have (RFC 9068 §2.2). A key that we cannot bind it to is refused. */
const tokenClaims = z.looseObject({
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: z.number(),
  nbf: z.number().optional(),
  iat: z.number().optional(),
  cnf: z.object({ jkt: z.string() }).optional(),
});
export type TokenClaims = z.output<typeof tokenClaims>;

/** What is known of a person whom another provider than identity vouches for. */
export interface External {
  /** Stands before the provider's subject, so that nobody is taken for one of ours. */
  subjectPrefix: string;
  role: MemberRole;
}

/** Reads claims before they are proven, to learn whose token it claims to be. */
export function parseClaims(payload: unknown): TokenClaims {
  return tokenClaims.parse(payload);
}

/** @throws Error for a token that is not, not yet or no longer meant for the audience. */
export function checkClaims({ aud, exp, nbf = 0, iat = 0 }: TokenClaims, audience: string): void {
  const now = Date.now() / 1000;
  if (![aud].flat().includes(audience)) {
    throw new Error('The token is meant for another service.');
  }
  if (now >= exp + CLOCK_LEEWAY_SECONDS) {
    throw new Error('The token has expired.');
  }
  // One from the future would also be newer than what revokes it.
  if (Math.max(nbf, iat) > now + CLOCK_LEEWAY_SECONDS) {
    throw new Error('The token is not valid yet.');
  }
}

/** Reads the principal from claims whose signature has been checked. */
export function principalOf(
  claims: Record<string, unknown>,
  tenantClaims: readonly string[],
  external?: External,
): Principal {
  const tenantClaim = tenantClaims.find((name) => claims[name] !== undefined);
  const { iat, jti } = claims;
  return wellFormedPrincipal.parse({
    subject: withPrefix(external?.subjectPrefix, claims['sub']),
    tenant_id: tenantClaim && claims[tenantClaim],
    scopes: scopesOf(claims['scope'] ?? claims['scp']),
    authentication_methods: claims['amr'],
    authenticated_at: claims['auth_time'],
    // In seconds; RFC 7519 §2 allows fractions.
    issued_at: typeof iat === 'number' ? Math.floor(iat) : undefined,
    token_id: typeof jti === 'string' ? jti : undefined,
    ...(external
      ? { role: external.role }
      : { role: claims['role'], api_key_id: claims[API_KEY_CLAIM] }),
  });
}

function withPrefix(prefix: string | undefined, sub: unknown): unknown {
  return prefix === undefined || typeof sub !== 'string' ? sub : prefix + sub;
}

/** A text with spaces (RFC 9068 §2.2.3); some providers write a list. */
function scopesOf(scope: unknown): string[] {
  const listed: unknown[] = Array.isArray(scope) ? scope : [scope];
  return listed
    .flatMap((each) => (typeof each === 'string' ? each.split(' ') : []))
    .filter(Boolean);
}
