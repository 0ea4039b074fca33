import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import type Provider from 'oidc-provider';
import type { Client, KoaContextWithOIDC } from 'oidc-provider';
import { z } from 'zod';
import { requestIdOf } from './koa-request.ts';
import type { RevokedTokens } from './revoked-tokens.ts';
import { registrationOf } from './token-content.ts';

/** A key that verifies, by its id. */
type PublishedKey = JsonWebKey & { kid: string };

const tokenHeader = z.object({
  alg: z.literal('ES256'),
  kid: z.string(),
  typ: z.literal('at+jwt'),
});

const tokenClaims = z.looseObject({
  iss: z.string(),
  sub: z.string(),
  aud: z.string(),
  tenant: z.string(),
  client_id: z.string(),
  jti: z.string(),
  iat: z.int(),
  exp: z.int(),
  api_key_id: z.string().optional(),
  cnf: z.looseObject({ jkt: z.string() }).optional(),
});
type TokenClaims = z.output<typeof tokenClaims>;

/** What the server needs to know of access tokens that clients show it. */
export interface StructuredTokens {
  keys: readonly PublishedKey[];
  revoked: RevokedTokens;
}

/** Answers for access tokens, which say everything themselves: oidc-provider has nothing stored. */
export function answerForAccessTokens(provider: Provider, tokens: StructuredTokens): void {
  const answers = new Map<string, (shown: Shown) => Promise<object | string>>([
    [provider.pathFor('introspection'), introspect],
    [provider.pathFor('revocation'), revoke],
  ]);
  provider.use(async (context: KoaContextWithOIDC, next: () => Promise<void>) => {
    await next();
    const answer = answers.get(context.path);
    // It refuses those tokens after it has authenticated the client.
    const client = isRefused(context.body) ? context.oidc.client : undefined;
    if (answer === undefined || client === undefined) {
      return;
    }
    const token = String(context.oidc.params?.['token']);
    const claims = readToken(token, provider.issuer, tokens.keys);
    context.body = await answer({ context, client, claims, revoked: tokens.revoked });
    context.status = 200;
  });
}

/** A client that asks about an access token, or gives it back. */
interface Shown {
  context: KoaContextWithOIDC;
  client: Client;
  /** Undefined for what is no token of this server. */
  claims: TokenClaims | undefined;
  revoked: RevokedTokens;
}

/** RFC 7662: services verify tokens by themselves; who cannot is told what they would find. */
async function introspect({ client, claims, revoked }: Shown): Promise<object> {
  return (await isFor(client, claims, revoked)) ? answerOf(claims) : INACTIVE;
}

/** RFC 7009: the one token is void from then on, and nothing else of its family. */
async function revoke({ context, client, claims, revoked }: Shown): Promise<string> {
  // §2.2: what is no token, or not theirs, is answered alike.
  if (claims?.client_id === client.clientId && claims.exp * 1000 > Date.now()) {
    await revoked.revoke(claims, { address: context.ip, request_id: requestIdOf(context) });
  }
  return '';
}

/** RFC 7515 §7.1. */
const COMPACT_JWS = /^(?<header>[\w-]+)\.(?<payload>[\w-]+)\.(?<signature>[\w-]+)$/;

const tokenParts = z.object({ header: z.string(), payload: z.string(), signature: z.string() });

const INACTIVE = { active: false };

function isRefused(body: unknown): boolean {
  return (body as { error?: unknown } | null)?.error === 'unsupported_token_type';
}

function answerOf(claims: TokenClaims | undefined): object {
  return { active: true, token_type: claims?.cnf === undefined ? 'Bearer' : 'DPoP', ...claims };
}

/** RFC 7662 §4: a client learns of tokens that are its own, or for a service that it uses. */
async function isFor(
  client: Client,
  claims: TokenClaims | undefined,
  revoked: RevokedTokens,
): Promise<boolean> {
  if (claims === undefined || claims.exp * 1000 <= Date.now()) {
    return false;
  }
  const { type, audiences } = registrationOf(client);
  const isOwn = claims.client_id === client.clientId;
  const isService = type === undefined || type === 'service';
  if (!isOwn && !(isService && audiences.includes(claims.aud))) {
    return false;
  }
  return !(await revoked.has(claims));
}

/** The claims of a token that this server signed. */
function readToken(
  token: string,
  issuer: string,
  keys: readonly PublishedKey[],
): TokenClaims | undefined {
  const { data: parts } = tokenParts.safeParse(COMPACT_JWS.exec(token)?.groups);
  if (parts === undefined || !isSigned(parts, keys)) {
    return undefined;
  }
  const { data: claims } = tokenClaims.safeParse(decode(parts.payload));
  return claims?.iss === issuer ? claims : undefined;
}

function isSigned(
  { header, payload, signature }: z.output<typeof tokenParts>,
  keys: readonly PublishedKey[],
): boolean {
  const { data: head } = tokenHeader.safeParse(decode(header));
  const key = keys.find(({ kid }) => kid === head?.kid);
  if (key === undefined) {
    return false;
  }
  const publicKey = createPublicKey({ key, format: 'jwk' });
  return verify(
    'sha256',
    Buffer.from(`${header}.${payload}`),
    { key: publicKey, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  );
}

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    return undefined;
  }
}
