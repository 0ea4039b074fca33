import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Browser } from './browser/spec-support.ts';
import { claimsOf, Deployment, ISSUER, SERVICE_SECRET } from './spec-support.ts';

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

interface DeviceAuthorization {
  device_code: string;
  user_code: string;
  verification_uri: string;
  verification_uri_complete: string;
}

interface Tokens {
  access_token: string;
  refresh_token: string;
  error?: string;
}

describe('a command line (RFC 8628)', () => {
  const running = new AsyncDisposableStack();
  let deployment: Deployment;
  let pod: string;

  beforeAll(async () => {
    deployment = running.use(await Deployment.start());
    pod = await (await deployment.startPod()).getUrl();
  });
  afterAll(() => running.disposeAsync());

  async function post(path: string, body: Record<string, string>): Promise<[number, unknown]> {
    const answer = await fetch(new URL(path, pod), {
      method: 'POST',
      // Who takes anything is no browser for that.
      headers: { accept: 'text/html, */*' },
      body: new URLSearchParams({ client_id: 'cli', ...body }),
    });
    const text = await answer.text();
    return [answer.status, text === '' ? undefined : JSON.parse(text)];
  }

  async function begin(parameters: Record<string, string> = {}): Promise<DeviceAuthorization> {
    const [status, body] = await post('/oauth/device/authorization', parameters);
    expect([status, body]).toEqual([200, expect.anything()]);
    return body as DeviceAuthorization;
  }

  async function poll({ device_code }: DeviceAuthorization): Promise<[number, Tokens]> {
    const [status, body] = await post('/oauth/token', { grant_type: DEVICE_CODE, device_code });
    return [status, body as Tokens];
  }

  /** Sends the one form of a page. */
  async function submit(
    browser: Browser,
    page: string,
    fields: Record<string, string> = {},
  ): Promise<Response> {
    const hidden = [...page.matchAll(/name="(\w+)" value="([^"]*)"/g)]
      .filter(([, name]) => name !== 'abort')
      .map(([, name, value]): [string, string] => [name ?? '', value ?? '']);
    const answer = await browser.fetch('/oauth/device', {
      method: 'POST',
      body: new URLSearchParams([...hidden, ...Object.entries(fields)]),
    });
    return answer;
  }

  async function confirm(
    browser: Browser,
    { user_code }: DeviceAuthorization,
    userId: string,
  ): Promise<Response> {
    const enter = await browser.fetch('/oauth/device');
    expect(enter.headers.get('cache-control')).toBe('no-store');
    expect(enter.headers.get('x-content-type-options')).toBe('nosniff');
    const shown = await submit(browser, await enter.text(), { user_code });
    const page = await shown.text();
    expect(page).toContain('The command line');
    expect(page).toContain(user_code);
    let answer = await submit(browser, page);
    for (let next = answer.headers.get('location'); next !== null;) {
      const at = new URL(next, ISSUER);
      if (at.pathname.startsWith('/api/auth/sign-in/')) at.searchParams.set('as', userId);
      answer = await browser.fetch(at.href);
      next = answer.headers.get('location');
    }
    return answer;
  }

  it('is begun by a client that is known, and others are told so in JSON', async () => {
    const answer = await post('/oauth/device/authorization', { client_id: 'nobody' });

    expect(answer).toMatchObject([401, { error: 'invalid_client' }]);
  });

  it('gets tokens of the person who confirms its code in a browser', async () => {
    const ann = await deployment.addPerson({ acme: 'admin' });
    const device = await begin();
    expect(await poll(device)).toMatchObject([400, { error: 'authorization_pending' }]);

    const end = await confirm(new Browser(pod), device, ann);
    const [status, tokens] = await poll(device);

    expect(device.verification_uri).toBe(`${ISSUER}/oauth/device`);
    expect(end.headers.get('content-security-policy')).toMatch("default-src 'none'");
    expect(await end.text()).toContain('Device connected');
    expect(status).toBe(200);
    expect(claimsOf(tokens.access_token)).toMatchObject({
      sub: ann,
      tenant: 'acme',
      role: 'admin',
      aud: 'gateway',
      client_id: 'cli',
      scope: 'sessions:read sessions:write members:write',
      amr: ['fed', 'otp', 'mfa'],
    });
  });

  it('is given its tokens once', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });
    const device = await begin();
    await confirm(new Browser(pod), device, ann);

    const answers = [await poll(device), await poll(device)];

    expect(answers.map(([status]) => status)).toEqual([200, 400]);
  });

  it('is told when the person refuses', async () => {
    const device = await begin();
    const browser = new Browser(pod);
    const enter = await browser.fetch('/oauth/device');
    const shown = await submit(browser, await enter.text(), { user_code: device.user_code });
    await submit(browser, await shown.text(), { abort: 'yes' });

    expect(await poll(device)).toMatchObject([400, { error: 'access_denied' }]);
  });

  it('asks for the tenant by its parameter', async () => {
    const ann = await deployment.addPerson({ acme: 'member', globex: 'viewer' });
    const device = await begin({ tenant: 'globex' });
    await confirm(new Browser(pod), device, ann);

    const [, tokens] = await poll(device);

    expect(claimsOf(tokens.access_token)).toMatchObject({ tenant: 'globex', role: 'viewer' });
  });

  it('takes a code from the page that made the form alone', async () => {
    const device = await begin();
    const browser = new Browser(pod);
    await browser.fetch('/oauth/device');

    const answer = await browser.fetch('/oauth/device', {
      method: 'POST',
      body: new URLSearchParams({ user_code: device.user_code, confirm: 'yes', xsrf: 'guess' }),
    });

    expect(answer.status).toBe(400);
    expect(await poll(device)).toMatchObject([400, { error: 'authorization_pending' }]);
  });

  it('says that a code is wrong, and shows what was typed as text', async () => {
    const browser = new Browser(pod);
    const enter = await browser.fetch('/oauth/device');

    const answer = await submit(browser, await enter.text(), { user_code: '"><script>x' });

    const page = await answer.text();
    expect(page).toContain('This code cannot be used');
    expect(page).not.toContain('<script');
  });

  describe('with its tokens', () => {
    async function connected(): Promise<Tokens> {
      const ann = await deployment.addPerson({ acme: 'member' });
      const device = await begin();
      await confirm(new Browser(pod), device, ann);
      const [, tokens] = await poll(device);
      return tokens;
    }

    const refresh = (refresh_token: string, more: Record<string, string> = {}) =>
      post('/oauth/token', { grant_type: 'refresh_token', refresh_token, ...more }) as Promise<
        [number, Tokens]
      >;

    it('refreshes them, each time with the next refresh token', async () => {
      const tokens = await connected();

      const [status, next] = await refresh(tokens.refresh_token);
      const narrowed = await refresh(next.refresh_token, { scope: 'sessions:read' });
      const widened = await refresh(narrowed[1].refresh_token, { scope: 'audit:read' });

      expect(status).toBe(200);
      expect(next.refresh_token).not.toBe(tokens.refresh_token);
      expect(claimsOf(narrowed[1].access_token)['scope']).toBe('sessions:read');
      expect(widened).toMatchObject([400, { error: 'invalid_scope' }]);
    });

    it('cannot use those of another client', async () => {
      const { refresh_token } = await connected();

      const answer = await fetch(new URL('/oauth/token', pod), {
        method: 'POST',
        body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token, client_id: 'ui' }),
      });

      expect(answer.status).toBe(400);
      expect((await refresh(refresh_token))[0]).toBe(200);
    });

    it('gives them back (RFC 7009)', async () => {
      const tokens = await connected();

      const [status] = await post('/oauth/revoke', { token: tokens.refresh_token });

      expect(status).toBe(200);
      expect(await refresh(tokens.refresh_token)).toMatchObject([400, { error: 'invalid_grant' }]);
      const introspected = await fetch(new URL('/oauth/introspect', pod), {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`robot:${SERVICE_SECRET}`)}` },
        body: new URLSearchParams({ token: tokens.access_token }),
      });
      expect(await introspected.json()).toEqual({ active: false });
    });

    it('gives nothing back for others', async () => {
      const { refresh_token } = await connected();

      await fetch(new URL('/oauth/revoke', pod), {
        method: 'POST',
        body: new URLSearchParams({ token: refresh_token, client_id: 'ui' }),
      });

      expect((await refresh(refresh_token))[0]).toBe(200);
    });
  });
});
