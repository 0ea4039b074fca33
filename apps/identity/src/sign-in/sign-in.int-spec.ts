import { hash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SoftwareAuthenticator } from '@soma/testing';
import { generateSync } from 'otplib';
import {
  IdentityDeployment,
  ISSUER,
  type Person,
  type Pod,
  REDIRECT_URI,
} from '../people/spec-support.ts';
import { newSomebody, ProviderServers, type Somebody } from './providers/spec-support.ts';
import { choose, type Stop, TestBrowser, UiClient } from './spec-support.ts';

const PROVIDERS = ['github', 'google', 'microsoft', 'apple'] as const;
type Name = (typeof PROVIDERS)[number];

describe('sign-in', () => {
  const running = new AsyncDisposableStack();
  let deployment: IdentityDeployment;
  let providers: ProviderServers;
  let pod: Pod;
  let client: UiClient;

  beforeAll(async () => {
    deployment = running.use(await IdentityDeployment.start());
    providers = running.use(await new ProviderServers(ISSUER).start());
    pod = await deployment.startPod(providers.settings, providers.endpoints);
    client = new UiClient(pod.url);
  });
  beforeEach(() => {
    providers.somebody = newSomebody();
  });
  afterAll(() => running.disposeAsync());

  const begin = (browser?: TestBrowser) => client.begin({}, browser);
  const tokenFor = (stop: Stop) => client.tokenFor(stop);
  const signIn = async (name: Name) => (await client.signIn(name)).stop;

  /** Somebody who is a member, and has not signed in yet. */
  async function invited(role = 'member'): Promise<Person & { somebody: Somebody }> {
    const person = await deployment.addPerson(role);
    const somebody = newSomebody({ email: person.email });
    providers.somebody = somebody;
    return { ...person, somebody };
  }

  it('offers the providers that are configured, on a page that loads nothing', async () => {
    const { stop } = await begin();

    expect(stop.status).toBe(200);
    for (const name of PROVIDERS) expect(stop.page).toContain(`/with/${name}"`);
    expect(stop.page).not.toMatch(/<script|<img|<link/);
    expect(stop.headers.get('cache-control')).toBe('no-store');
    expect(stop.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self' https:\/\/app\.example\.com; base-uri 'none'; frame-ancestors 'none'$/,
    );
  });

  it.each(PROVIDERS)('signs a member in with %s', async (name) => {
    const { user_id } = await invited('owner');

    const stop = await signIn(name);

    expect(await tokenFor(stop)).toMatchObject({
      ...{ sub: user_id, tenant: 'acme', role: 'owner', amr: ['fed'] },
      acr: 'urn:soma:acr:one-factor',
    });
    expect(stop.url.searchParams.get('state')).toBe('of-the-client');
    // The second time it is the account that counts, whatever the address has become.
    providers.somebody = { ...providers.somebody, email: 'new@example.com' };
    expect(await tokenFor(await signIn(name))).toMatchObject({ sub: user_id });
  });

  const openId = { code_challenge_method: 'S256', nonce: expect.any(String) };
  it.each([
    ['github', { scope: 'read:user user:email' }],
    ['google', { scope: 'openid profile email', ...openId }],
    ['microsoft', { scope: 'openid profile email', ...openId }],
    ['apple', { scope: 'openid name email', response_mode: 'form_post', ...openId }],
  ] as const)('asks %s for just this, and binds the way to the browser', async (name, asked) => {
    await invited();
    const { browser, stop } = await begin();
    await choose(browser, stop, name);
    const way = browser.visited.find(({ host }) => host.startsWith('127.0.0.1'));
    const { state = '', code_challenge, ...query } = Object.fromEntries(way?.searchParams ?? []);

    expect(query).toEqual({
      client_id: `${name}-client`,
      response_type: 'code',
      redirect_uri: `${ISSUER}/api/auth/oauth/${name}/callback`,
      ...asked,
    });
    expect(typeof code_challenge).toBe(name === 'github' ? 'undefined' : 'string');
    const cookie = browser.setCookies.get('oauthState') ?? '';
    expect(cookie.replace(/^[^;]*/, '')).toBe(
      `; Path=/api/auth/oauth/${name}/callback; Max-Age=600; HttpOnly; ` +
        (name === 'apple' ? 'SameSite=None; Secure' : 'SameSite=Lax; Secure'),
    );
    expect(cookie).not.toContain(state);
    expect(browser.cookies.filter((each) => each.name === 'oauthState')).toEqual([]);
  });

  it.each(['google', 'microsoft', 'apple'] as const)(
    'refuses an ID token of %s that is for another sign-in, and a code without its verifier',
    async (name) => {
      await invited();
      for (const parameter of ['nonce', 'code_challenge']) {
        const { browser, stop } = await begin();
        browser.tamper = (url) => {
          if (url.searchParams.has(parameter)) {
            url.searchParams.set(parameter, hash('sha256', 'of the attacker', 'base64url'));
          }
          return url;
        };

        const refused = await choose(browser, stop, name);

        expect(refused.url.search).toBe(
          parameter === 'nonce' ? '?notice=token_invalid' : '?notice=code_refused',
        );
        expect(refused.page).toContain('class="notice"');
        expect((await browser.visit(refused.url)).page).toContain('Sign in with');
      }
    },
  );

  it('refuses a state that was altered, is missing, or is of another browser', async () => {
    await invited();
    for (const change of ['altered', 'missing', 'foreign'] as const) {
      const { browser, stop } = await begin();
      const other = (await begin()).browser;
      browser.tamper = (url) => {
        if (!url.pathname.endsWith('/callback')) return url;
        if (change === 'altered') url.searchParams.set('state', 'x');
        if (change === 'missing') url.searchParams.delete('state');
        if (change === 'foreign') browser.cookies.splice(0, Infinity, ...other.cookies);
        return url;
      };

      const refused = await choose(browser, stop, 'google');

      expect([refused.status, refused.url.pathname]).toEqual([
        400,
        '/api/auth/oauth/google/callback',
      ]);
      expect(refused.page).toContain('This sign-in cannot go on');
    }
  });

  it('takes what came back once, and only from the provider that was asked', async () => {
    await invited();
    const { browser, stop } = await begin();
    let callback: URL | undefined;
    let kept: TestBrowser['cookies'] = [];
    browser.tamper = (url) => {
      if (url.pathname.endsWith('/callback') && callback === undefined) {
        callback = url;
        kept = [...browser.cookies];
      }
      return url;
    };
    await tokenFor(await choose(browser, stop, 'google'));

    const exchanged = { ...providers.exchanges };
    browser.cookies.splice(0, Infinity, ...kept);
    const again = await browser.visit(callback ?? '');
    const elsewhere = new TestBrowser(pod.url);
    const path = '/api/auth/oauth/microsoft/callback';
    elsewhere.cookies.push(
      ...kept.map((each) => (each.name === 'oauthState' ? { ...each, path } : each)),
    );
    const mixed = await elsewhere.visit(new URL(path + (callback?.search ?? ''), ISSUER));

    expect([again.status, mixed.status]).toEqual([400, 400]);
    expect(providers.exchanges).toEqual(exchanged);
    const metrics = await (await fetch(new URL('/metrics', pod.url))).text();
    expect(metrics).toContain(
      'soma_sign_in_state_faults_total{provider="google",fault="reused"} 1',
    );
    expect(metrics).toContain('{provider="microsoft",fault="unreadable"} 1');
    expect(metrics).toMatch(
      /soma_sign_in_attempts_total\{provider="google",outcome="signed_in"\} \d/,
    );
  });

  it('goes on after a person has left the provider, or the provider failed', async () => {
    const { browser, stop } = await begin();
    for (const [error, notice] of [
      ['access_denied', 'cancelled'],
      ['temporarily_unavailable', 'provider_unavailable'],
      ['<script>', 'provider_failed'],
    ]) {
      browser.tamper = (url) => {
        if (!url.pathname.endsWith('/callback')) return url;
        url.searchParams.delete('code');
        url.searchParams.set('error', error ?? '');
        return url;
      };
      const left = await choose(browser, stop, 'google');

      expect(left.url.search).toBe(`?notice=${notice}`);
      expect(left.page).not.toContain('<script>');
    }
  });

  it.each(['github', 'google', 'apple', 'microsoft'] as const)(
    'believes no address that %s does not vouch for',
    async (name) => {
      const { somebody } = await invited();
      providers.somebody = { ...somebody, email_verified: false };

      expect((await signIn(name)).url.search).toBe('?notice=email_unverified');
    },
  );

  it('reads switches as Apple writes them', async () => {
    const { user_id, somebody } = await invited();
    providers.somebody = { ...somebody, email_verified: 'false' };
    expect((await signIn('apple')).url.search).toBe('?notice=email_unverified');

    providers.somebody = { ...somebody, email_verified: 'true' };
    expect(await tokenFor(await signIn('apple'))).toMatchObject({ sub: user_id });
  });

  it('links a second account only once its person has signed in with the first and agreed', async () => {
    const { user_id, somebody } = await invited();
    await tokenFor(await signIn('github'));
    providers.somebody = newSomebody({ email: somebody.email });

    const { browser, stop } = await begin();
    const waiting = await choose(browser, stop, 'google');
    expect(waiting.page).toContain('You have an account already');
    expect(waiting.page).not.toContain('/with/google');
    providers.somebody = somebody;
    const asked = await choose(browser, waiting, 'github');
    expect(asked.page).toContain('Link your Google account?');
    expect(
      await tokenFor(await browser.post(asked, `${asked.url.pathname}/link`, { answer: 'yes' })),
    ).toMatchObject({ sub: user_id });

    expect(
      (await deployment.auditOf({ user_id, tenant_id: 'acme' })).map(
        (line) => (line as string[])[0],
      ),
    ).toEqual([...['account.linked', 'sign_in.completed', 'account.linked', 'sign_in.completed']]);
  });

  it('links nothing to who signs in as somebody else, or does not agree', async () => {
    const { somebody } = await invited();
    await tokenFor(await signIn('github'));
    const thief = newSomebody({ email: somebody.email });
    const own = await invited();
    await tokenFor(await signIn('github'));

    const { browser, stop } = await begin();
    providers.somebody = thief;
    const waiting = await choose(browser, stop, 'google');
    providers.somebody = own.somebody;
    expect(await tokenFor(await choose(browser, waiting, 'github'))).toMatchObject({
      sub: own.user_id,
    });

    const second = await begin();
    providers.somebody = thief;
    const again = await choose(second.browser, second.stop, 'google');
    providers.somebody = somebody;
    const asked = await choose(second.browser, again, 'github');
    await tokenFor(
      await second.browser.post(asked, `${asked.url.pathname}/link`, { answer: 'no' }),
    );
    const linked = await deployment.database.execute(
      `SELECT provider FROM identity.linked_accounts WHERE subject = $1`,
      [thief.subject],
    );
    expect(linked).toEqual([]);
  });

  it('asks who has a second factor for it, before anything else', async () => {
    const person = await invited();
    const own = await pod.tokenOf(person);
    const { body } = await pod.post(own, '/api/auth/mfa/totp');
    const codeOf = () => generateSync({ secret: String(body['secret']) });
    await pod.post(own, '/api/auth/mfa/totp/confirm', { code: codeOf() });
    await deployment.database.execute(`UPDATE identity.totp_factors SET last_used_step = 0`);

    const { browser, stop } = await begin();
    const asked = await choose(browser, stop, 'google');
    expect(asked.page).toContain('Prove that it is you');
    const action = `${asked.url.pathname}/second-factor`;
    const wrong = await browser.post(asked, action, { code: '000000' });
    expect(wrong.url.search).toBe('?notice=refused');
    const end = await browser.post(wrong, action, { code: codeOf() });

    expect(await tokenFor(end)).toMatchObject({
      ...{ sub: person.user_id, amr: ['fed', 'otp', 'mfa'], acr: 'urn:soma:acr:two-factors' },
    });
  });

  it('takes a passkey for the second factor, by a script of its own', async () => {
    const person = await invited();
    const own = await pod.tokenOf(person);
    const key = new SoftwareAuthenticator({ origin: ISSUER });
    const { body } = await pod.post(own, '/api/auth/mfa/passkeys/registration');
    const response = key.create(String(body['challenge']));
    await pod.post(own, '/api/auth/mfa/passkeys', { name: 'Phone', response });

    const { browser, stop } = await begin();
    const asked = await choose(browser, stop, 'google');
    expect(asked.headers.get('content-security-policy')).toContain("; script-src 'self';");
    const options = /data-options="([^"]+)"/.exec(asked.page)?.[1]?.replaceAll('&#34;', '"') ?? '';
    const { challenge } = JSON.parse(options) as { challenge: string };
    const end = await browser.post(asked, `${asked.url.pathname}/second-factor`, {
      passkey: JSON.stringify(key.get(challenge)),
    });

    expect(await tokenFor(end)).toMatchObject({ acr: 'urn:soma:acr:passkey' });
    expect((await browser.visit('/api/auth/passkey.js')).page).toContain('navigator.credentials');
  });

  it('shows a person what they sign in with, and leaves them one way in', async () => {
    const person = await invited();
    await tokenFor(await signIn('github'));
    const token = await pod.tokenOf(person);

    const listed = await pod.ask(token, '/api/auth/accounts');
    const last = await pod.ask(token, '/api/auth/accounts/github', { method: 'DELETE' });
    await deployment.database.execute(
      `INSERT INTO identity.linked_accounts (provider, subject, user_id, email)
       VALUES ('google', $1, $2, $3)`,
      [person.user_id, person.user_id, person.email],
    );
    const one = await pod.ask(token, '/api/auth/accounts/google', { method: 'DELETE' });
    const none = await pod.ask(token, '/api/auth/accounts/apple', { method: 'DELETE' });

    expect(listed.body).toMatchObject({ accounts: [{ provider: 'github', email: person.email }] });
    expect([last.body['code'], one.status, none.status]).toEqual(['last_account', 204, 404]);
    const said = (await deployment.auditOf(person)).map((line) => (line as string[])[0]);
    expect(said).toEqual(['account.linked', 'sign_in.completed', 'account.unlinked']);
  });

  it('says who is no member, and lets go on who becomes one', async () => {
    const { browser, stop } = await begin();
    const stranger = await choose(browser, stop, 'google');
    expect(stranger.page).toContain('nowhere a member');

    const [user] = await deployment.database.execute(
      `SELECT user_id FROM identity.users WHERE email = $1`,
      [providers.somebody.email],
    );
    await deployment.addMember(String(user?.['user_id']), 'viewer', 'globex');
    expect(await tokenFor(await browser.visit(stranger.url))).toMatchObject({ tenant: 'globex' });
  });

  it('lets nobody in whose account is disabled', async () => {
    const { user_id } = await invited();
    await deployment.database.execute(
      `UPDATE identity.users SET disabled_at = now() WHERE user_id = $1`,
      [user_id],
    );

    expect((await signIn('google')).url.search).toBe('?notice=account_disabled');
  });

  it('sends a code again only where it had no effect', async () => {
    await invited();
    for (const [fault, exchanges] of [
      [500, 1],
      [503, 3],
    ] as const) {
      providers.gitHubFault = fault;
      providers.exchanges['github'] = 0;
      expect((await signIn('github')).url.search).toBe('?notice=provider_unavailable');
      expect(providers.exchanges['github']).toBe(exchanges);
    }
    providers.gitHubFault = undefined;
  });

  it('leads nowhere but back into the sign-in', async () => {
    await invited();
    const { browser, stop } = await begin();
    const away = 'https://evil.example.com/';
    const start = /href="([^"]+\/with\/google)"/.exec(stop.page)?.[1] ?? '';
    browser.tamper = (url) => {
      if (url.host !== 'app.example.com') {
        for (const name of ['return_to', 'redirect', 'next', 'url']) {
          url.searchParams.set(name, away);
        }
      }
      return url;
    };
    const end = await browser.visit(start);

    expect(end.url.href.startsWith(`${REDIRECT_URI}?`)).toBe(true);
    expect(browser.visited.some(({ host }) => host.includes('evil'))).toBe(false);
  });

  it('shows nobody the sign-in of another browser', async () => {
    const { stop } = await begin();
    const other = (await begin()).browser;

    const without = await new TestBrowser(pod.url).visit(stop.url);
    const foreign = await other.visit(stop.url);
    const posted = await other.post(stop, `${stop.url.pathname}/second-factor`, { code: '123456' });

    for (const refused of [without, foreign, posted]) {
      expect([refused.status, refused.page.includes('This sign-in is over')]).toEqual([400, true]);
    }
  });
});
