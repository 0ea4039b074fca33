import type { TestCatalog } from '../../spec-support.ts';

/** Where browsers reach the catalog, as providers know it. Nothing listens there. */
export const API_BASE_URL = 'https://soma.example';

/** A browser with cookies, which somebody uses who agrees to everything. */
export class TestBrowser {
  /** By origin: name and value. */
  private readonly cookies = new Map<string, Map<string, string>>();

  /** Keeps the cookies of an answer that came from Soma. */
  keep(origin: string, headers: Headers): void {
    const jar = this.cookies.get(origin) ?? new Map<string, string>();
    for (const cookie of headers.getSetCookie()) {
      const [name = '', value = ''] = (cookie.split(';')[0] ?? '').split('=');
      jar.set(name, value);
    }
    this.cookies.set(origin, jar);
  }

  cookiesFor(origin: string): string {
    const jar = this.cookies.get(origin) ?? new Map<string, string>();
    return [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** What its cookies hold. */
  values(): string[] {
    return [...this.cookies.values()].flatMap((jar) => [...jar.values()]);
  }

  /** Goes where a provider sends it, until it is sent back to Soma; the parameters of that. */
  async agree(authorizationUrl: string): Promise<URLSearchParams> {
    let at = new URL(authorizationUrl);
    while (at.origin !== API_BASE_URL) {
      const headers = { cookie: this.cookiesFor(at.origin) };
      const answer = await fetch(at, { redirect: 'manual', headers });
      this.keep(at.origin, answer.headers);
      const location = answer.headers.get('location');
      if (location === null) throw new Error(`${at.href}: ${await answer.text()}`);
      at = new URL(location, at);
    }
    return at.searchParams;
  }

  /** Brings the parameters to a pod of the catalog. */
  async comeBack(catalog: TestCatalog, parameters: URLSearchParams): Promise<[number, string]> {
    const headers = { cookie: this.cookiesFor(API_BASE_URL) };
    const answer = await fetch(`${catalog.url}/api/v1/oauth/callback?${parameters.toString()}`, {
      headers,
    });
    return [answer.status, await answer.text()];
  }
}
