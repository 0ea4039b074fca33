import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { registrationOf } from './token-content.ts';

const NAME = 'refreshToken';
/** The only doors that need it. */
const PATH = '/api/auth';

/** A refresh token and the client that it was given to, as a browser keeps them. */
export interface HeldToken {
  clientId: string;
  token: string;
}

/**
 * Gives the web interface its refresh token as a cookie, where no script can read it.
 *
 * @param isSecure - Whether browsers reach Soma by https alone.
 */
export function giveRefreshTokensAsCookies(provider: Provider, isSecure: boolean): void {
  provider.use(async (context: KoaContextWithOIDC, next: () => Promise<void>) => {
    await next();
    if (context.path !== provider.pathFor('token') || context.status !== 200) {
      return;
    }
    const { client, entities } = context.oidc;
    if (client === undefined || registrationOf(client).type !== 'ui') {
      return;
    }
    // RFC 6749 §5.1.
    const { refresh_token, ...body } = context.body as { refresh_token?: string };
    if (refresh_token !== undefined) {
      const held = { clientId: client.clientId, token: refresh_token };
      const maxAgeS = entities.RefreshToken?.remainingTTL ?? 0;
      context.append('set-cookie', refreshCookie(held, { isSecure, maxAgeS }));
      context.body = body;
    }
  });
}

/** The line of a `Set-Cookie` header. */
function refreshCookie(
  { clientId, token }: HeldToken,
  { isSecure, maxAgeS }: { isSecure: boolean; maxAgeS: number },
): string {
  const attributes = `Path=${PATH}; Max-Age=${maxAgeS}; HttpOnly; SameSite=Lax`;
  return `${NAME}=${clientId}.${token}; ${attributes}${isSecure ? '; Secure' : ''}`;
}

/** The lines that make a browser forget that somebody was signed in. */
export function forgottenCookies(isSecure: boolean): string[] {
  const secure = isSecure ? '; Secure' : '';
  return [
    `${NAME}=; Path=${PATH}; Max-Age=0; HttpOnly; SameSite=Lax${secure}`,
    `oauthSession=; Path=/oauth; Max-Age=0; HttpOnly; SameSite=Lax${secure}`,
  ];
}

/** What a browser holds, by its `Cookie` header. */
export function readRefreshCookie(header: string | undefined): HeldToken | undefined {
  const cookies = (header ?? '').split(';').map((cookie) => cookie.trim());
  const value = cookies.find((cookie) => cookie.startsWith(`${NAME}=`))?.slice(NAME.length + 1);
  // The id of a client may have dots; a token has none.
  const dot = value?.lastIndexOf('.') ?? -1;
  return value === undefined || dot <= 0
    ? undefined
    : { clientId: value.slice(0, dot), token: value.slice(dot + 1) };
}
