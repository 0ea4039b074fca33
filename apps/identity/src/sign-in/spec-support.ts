import { hash, randomBytes } from 'node:crypto';
import { claimsOf, ISSUER, REDIRECT_URI } from '../people/spec-support.ts';

interface Cookie {
  name: string;
  value: string;
  host: string;
  path: string;
  isCrossSite: boolean;
}

/** Where a browser has come to: a page, or its client's address. */
export interface Stop {
  url: URL;
  status: number;
  headers: Headers;
  page: string;
}

interface Request {
  method?: 'GET' | 'POST';
  body?: URLSearchParams;
  /** The host of the page that a form is on. */
  from?: string;
}

/**
 * A browser: it follows redirects, posts the forms that post themselves, and keeps cookies as
 * browsers do: by host and path, and `SameSite=Lax` ones at home when another site posts.
 */
export class TestBrowser {
  readonly cookies: Cookie[] = [];
  /** Changes an address on the way, as somebody who tampers would. */
  tamper: (url: URL) => URL = (url) => url;
  /** Every address that it went to. */
  readonly visited: URL[] = [];

  /** @param pod - Where the issuer's address leads to. */
  constructor(public pod: string) {}

  /** Goes where it is sent until there is something to read. */
  async visit(address: string | URL, request: Request = {}): Promise<Stop> {
    let url = this.tamper(new URL(address, ISSUER));
    let sent = request;
    for (let step = 0; step < 20; step++) {
      this.visited.push(url);
      if (url.href.startsWith(REDIRECT_URI)) {
        return { url, status: 200, headers: new Headers(), page: '' };
      }
      const answer = await this.send(url, sent);
      const page = await answer.text();
      const next = nextOf(answer, page, url);
      if (next === undefined) {
        return { url, status: answer.status, headers: answer.headers, page };
      }
      url = this.tamper(next.url);
      sent = next.request;
    }
    throw new Error('The redirects go on for ever.');
  }

  /** Posts a form of the page where it is. */
  post(stop: Stop, action: string, fields: Record<string, string>): Promise<Stop> {
    const body = new URLSearchParams(fields);
    return this.visit(new URL(action, stop.url), { method: 'POST', body, from: stop.url.host });
  }

  /** The `Set-Cookie` header of the issuer that came last for a name. */
  readonly setCookies = new Map<string, string>();

  private async send(url: URL, { method = 'GET', body, from }: Request): Promise<Response> {
    const isForeignPost = method === 'POST' && from !== undefined && from !== url.host;
    const cookie = this.cookies
      .filter(({ host, path }) => host === url.host && url.pathname.startsWith(path))
      .filter(({ isCrossSite }) => isCrossSite || !isForeignPost)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
    const at = url.origin === ISSUER ? new URL(url.pathname + url.search, this.pod) : url;
    const answer = await fetch(at, {
      method,
      redirect: 'manual',
      headers: { cookie },
      ...(body !== undefined && { body }),
    });
    this.accept(url.host, answer);
    return answer;
  }

  /** Keeps the cookies of an answer. */
  accept(host: string, answer: Response): void {
    answer.headers.getSetCookie().forEach((line) => {
      this.keep(host, line);
    });
  }

  private keep(host: string, line: string): void {
    const { name, value, path, isOver, isCrossSite } = parseSetCookie(line);
    const index = this.cookies.findIndex(
      (each) => each.name === name && each.host === host && each.path === path,
    );
    if (index >= 0) this.cookies.splice(index, 1);
    if (isOver) return;
    this.cookies.push({ name, value, host, path, isCrossSite });
    this.setCookies.set(name, line);
  }
}

/** The web interface, which sends browsers to sign in. */
export class UiClient {
  private readonly verifier = randomBytes(32).toString('base64url');

  constructor(private readonly pod: string) {}

  /** A browser where its client's request has led it. */
  async begin(
    parameters: Record<string, string> = {},
    browser = new TestBrowser(this.pod),
  ): Promise<{ browser: TestBrowser; stop: Stop }> {
    const request = new URL('/oauth/authorize', ISSUER);
    request.search = new URLSearchParams({
      client_id: 'ui',
      redirect_uri: REDIRECT_URI,
      response_type: 'code',
      scope: 'openid sessions:read api_keys:write',
      state: 'of-the-client',
      code_challenge: hash('sha256', this.verifier, 'base64url'),
      code_challenge_method: 'S256',
      ...parameters,
    }).toString();
    return { browser, stop: await browser.visit(request) };
  }

  /** Signs in by a provider, as far as that leads. */
  async signIn(
    provider: string,
    parameters: Record<string, string> = {},
    browser?: TestBrowser,
  ): Promise<{ browser: TestBrowser; stop: Stop }> {
    const begun = await this.begin(parameters, browser);
    return { ...begun, stop: await choose(begun.browser, begun.stop, provider) };
  }

  /**
   * The claims of the token for the code that a browser has come back with.
   *
   * @param browser - Which is to keep the refresh token.
   */
  async tokenFor(stop: Stop, browser?: TestBrowser): Promise<Record<string, unknown>> {
    if (!stop.url.searchParams.has('code')) {
      throw new Error(`No code: ${stop.url.href} ${stop.page}`);
    }
    const answer = await fetch(new URL('/oauth/token', this.pod), {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: 'ui',
        redirect_uri: REDIRECT_URI,
        code: stop.url.searchParams.get('code') ?? '',
        code_verifier: this.verifier,
      }),
    });
    browser?.accept(new URL(ISSUER).host, answer);
    const { access_token } = (await answer.json()) as { access_token: string };
    return claimsOf(access_token);
  }
}

/** Chooses a provider on the page, and goes where that leads. */
export function choose(browser: TestBrowser, stop: Stop, name: string): Promise<Stop> {
  const link = new RegExp(`href="([^"]+/with/${name})"`).exec(stop.page)?.[1];
  if (link === undefined) throw new Error(`No way to ${name}: ${stop.page}`);
  return browser.visit(link);
}

function parseSetCookie(line: string): Omit<Cookie, 'host'> & { isOver: boolean } {
  const [pair = '', ...attributes] = line.split(/; ?/);
  const [, name = '', value = ''] = /^([^=]*)=(.*)$/.exec(pair) ?? [];
  const path = attributes.find((each) => /^path=/i.test(each))?.slice('path='.length) ?? '/';
  const has = (pattern: RegExp) => attributes.some((each) => pattern.test(each));
  const isOver = value === '' || has(/^max-age=0$|expires=thu, 01 jan 1970/i);
  return { name, value, path, isOver, isCrossSite: has(/^samesite=none$/i) };
}

function nextOf(
  answer: Response,
  page: string,
  at: URL,
): { url: URL; request: Request } | undefined {
  const location = answer.headers.get('location');
  if (location !== null) {
    return { url: new URL(location, at), request: {} };
  }
  // A page of `form_post` posts itself (OAuth 2.0 Form Post Response Mode §2).
  const action = /<form method="post" action="([^"]+)">/.exec(page)?.[1];
  if (action === undefined || !page.includes('.submit()')) {
    return undefined;
  }
  const fields = [...page.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(
    ([, name = '', value = '']): [string, string] => [name, value],
  );
  const body = new URLSearchParams(fields);
  return { url: new URL(action, at), request: { method: 'POST', body, from: at.host } };
}
