/** Where a browser has come to. */
export interface Place {
  url: URL;
  status: number;
  page: string;
}

/** A browser: it follows redirects and keeps cookies by host and path. */
export class Browser {
  /** Every value that a cookie had, by its name. */
  readonly seen = new Map<string, string[]>();
  readonly #cookies = new Map<string, { host: string; path: string; pair: string }>();
  readonly #home: string;

  /** @param home - The address of its client, where it stops. */
  constructor(home: string) {
    this.#home = home;
  }

  async visit(address: URL | string, init: RequestInit = {}): Promise<Place> {
    let [url, request] = [new URL(address), init];
    for (let step = 0; step < 20; step++) {
      if (url.href.startsWith(this.#home)) {
        return { url, status: 200, page: '' };
      }
      const answer = await this.send(url, request);
      const location = answer.headers.get('location');
      if (location === null) {
        return { url, status: answer.status, page: await answer.text() };
      }
      [url, request] = [new URL(location, url), {}];
    }
    throw new Error('The redirects go on for ever.');
  }

  /** One request, without following redirects. */
  async send(url: URL, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.#cookies.values()]
      .filter(({ host, path }) => host === url.host && url.pathname.startsWith(path))
      .map(({ pair }) => pair)
      .join('; ');
    const headers = { ...(init.headers as Record<string, string> | undefined), cookie };
    const answer = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const line of answer.headers.getSetCookie()) {
      this.#keep(url.host, line);
    }
    return answer;
  }

  #keep(host: string, line: string): void {
    const [pair = '', ...attributes] = line.split(/; ?/);
    const [name = '', value = ''] = pair.split('=');
    const path = attributes.find((each) => /^path=/i.test(each))?.slice('path='.length) ?? '/';
    const key = [host, path, name].join(' ');
    if (value === '') {
      this.#cookies.delete(key);
      return;
    }
    this.#cookies.set(key, { host, path, pair });
    this.seen.set(name, [...(this.seen.get(name) ?? []), value]);
  }
}
