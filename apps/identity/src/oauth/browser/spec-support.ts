import * as openid from 'openid-client';
import { ISSUER, REDIRECT_URI } from '../spec-support.ts';

/** What a client asks for besides what it must. */
export type AuthorizationParameters = Record<string, string>;

export type Tokens = openid.TokenEndpointResponse & openid.TokenEndpointResponseHelpers;

/** A browser with its cookies and the web interface in it. It reaches the issuer at one of its pods. */
export class Browser {
  private readonly cookies = new Map<string, { value: string; path: string }>();
  /** Hears every line of `Set-Cookie`. */
  onCookie: (line: string) => void = () => undefined;

  constructor(public pod: string) {}

  /** One request, without following redirects. */
  async fetch(address: string, init: RequestInit = {}): Promise<Response> {
    const url = new URL(address, ISSUER);
    const cookie = [...this.cookies]
      .filter(([, { path }]) => url.pathname.startsWith(path))
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ');
    const headers = { ...(init.headers as Record<string, string>), cookie };
    const at = new URL(url.pathname + url.search, this.pod);
    const answer = await fetch(at, { ...init, headers, redirect: 'manual' });
    answer.headers.getSetCookie().forEach((line) => {
      this.keep(line);
    });
    return answer;
  }

  cookie(name: string): string | undefined {
    return this.cookies.get(name)?.value;
  }

  setCookie(name: string, value: string, path: string): void {
    this.cookies.set(name, { value, path });
  }

  /** What the web interface knows of the issuer. */
  discover(): Promise<openid.Configuration> {
    return openid.discovery(new URL(ISSUER), 'ui', undefined, openid.None(), {
      [openid.customFetch]: (address: string, init: object) => this.fetch(address, init),
    });
  }

  /** Signs a person in to the web interface. */
  async signInToUi(userId: string, parameters: AuthorizationParameters = {}): Promise<Tokens> {
    const client = await this.discover();
    const [pkceCodeVerifier, expectedState, expectedNonce] = [
      openid.randomPKCECodeVerifier(),
      openid.randomState(),
      openid.randomNonce(),
    ];
    const begin = openid.buildAuthorizationUrl(client, {
      redirect_uri: REDIRECT_URI,
      scope: 'openid email sessions:read sessions:write members:write',
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      nonce: expectedNonce,
      ...parameters,
    });
    const end = await this.signIn(begin, userId);
    return openid.authorizationCodeGrant(client, end, {
      pkceCodeVerifier,
      expectedState,
      expectedNonce,
    });
  }

  /** What the web interface asks when its access token is about to end. */
  refresh(headers: Record<string, string> = {}): Promise<Response> {
    return this.fetch('/api/auth/refresh', { method: 'POST', headers });
  }

  /** Goes where it is sent until it is sent to its client; that address. */
  async signIn(address: string | URL, userId: string): Promise<URL> {
    let at = new URL(address, ISSUER);
    for (let step = 0; step < 10; step += 1) {
      if (at.href.startsWith(REDIRECT_URI)) return at;
      if (at.pathname.startsWith('/api/auth/sign-in/')) at.searchParams.set('as', userId);
      const answer = await this.fetch(at.href);
      const next = answer.headers.get('location');
      if (next === null) throw new Error(`${at.pathname}: ${answer.status} ${await answer.text()}`);
      at = new URL(next, at);
    }
    throw new Error('The redirects go on for ever.');
  }

  private keep(line: string): void {
    this.onCookie(line);
    const [pair = '', ...attributes] = line.split('; ');
    const [name = '', value = ''] = pair.split('=');
    const path = attributes.find((each) => /^path=/i.test(each))?.slice('path='.length) ?? '/';
    if (
      value === '' ||
      attributes.some((each) => /expires=Thu, 01 Jan 1970|max-age=0$/i.test(each))
    ) {
      this.cookies.delete(name);
    } else {
      this.cookies.set(name, { value, path });
    }
  }
}
