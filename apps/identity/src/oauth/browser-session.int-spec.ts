import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ACR } from '@soma/auth';
import { Browser } from './browser/spec-support.ts';
import { claimsOf, Deployment, ISSUER, SERVICE_SECRET } from './spec-support.ts';

const DAY_S = 86_400;

describe('the sign-in of a browser', () => {
  const running = new AsyncDisposableStack();
  let deployment: Deployment;
  let pods: string[];

  beforeAll(async () => {
    deployment = running.use(await Deployment.start());
    pods = await Promise.all([1, 2].map(async () => (await deployment.startPod()).getUrl()));
  });
  afterAll(() => running.disposeAsync());

  async function signedIn(): Promise<{ browser: Browser; ann: string; token: string }> {
    const ann = await deployment.addPerson({ acme: 'member' });
    const browser = new Browser(pods[0] ?? '');
    const { access_token } = await browser.signInToUi(ann);
    return { browser, ann, token: access_token };
  }

  /** As if the refresh that used the browser's token had been some time ago. */
  async function age(seconds: number): Promise<void> {
    await deployment.database.execute(
      `UPDATE identity.oidc_records SET consumed_at = consumed_at - make_interval(secs => $1)`,
      [seconds],
    );
  }

  it('is a cookie that no script can read and no other path gets', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });
    const browser = new Browser(pods[0] ?? '');
    const seen: string[] = [];
    browser.onCookie = (line) => seen.push(line);

    const tokens = await browser.signInToUi(ann);
    await browser.refresh();

    const lines = seen.filter((line) => line.startsWith('refreshToken='));
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      const { groups } = /Max-Age=(?<age>\d+)/.exec(line) ?? {};
      expect(Number(groups?.['age'])).toBeGreaterThan(30 * DAY_S - 60);
      expect(line).toMatch(/; Path=\/api\/auth; .*HttpOnly; SameSite=Lax; Secure$/);
    }
    expect(tokens.refresh_token).toBeUndefined();
    for (const line of seen) expect(line).toMatch(/secure/i);
  });

  it('has cookies for unencrypted ways only where browsers have no other', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });
    const pod = await deployment.startPod({ apiBaseUrl: 'http://localhost:8080' });
    const browser = new Browser(await pod.getUrl());
    const seen: string[] = [];
    browser.onCookie = (line) => seen.push(line);

    await browser.signInToUi(ann);
    await browser.fetch('/api/auth/sign-out', { method: 'POST' });

    const lines = seen.filter((line) => line.startsWith('refreshToken='));
    expect(lines.map((line) => /; secure/i.test(line))).toEqual([false, false]);
  });

  it('is known to the issuer for 7 days, and its token is good for 30, however often it is used', async () => {
    const { browser } = await signedIn();

    const kept = await deployment.database.execute(
      `SELECT model, max(extract(epoch FROM expires_at - now()))::float AS seconds
         FROM identity.oidc_records WHERE model IN ('Session', 'RefreshToken')
        GROUP BY model ORDER BY model`,
    );
    expect(kept.map(({ model }) => model)).toEqual(['RefreshToken', 'Session']);
    for (const [index, days] of [30, 7].entries()) {
      expect(kept[index]?.['seconds']).toBeLessThanOrEqual(days * DAY_S);
      expect(kept[index]?.['seconds']).toBeGreaterThan(days * DAY_S - 60);
    }
    const now = Date.now.bind(Date);
    jest.spyOn(Date, 'now').mockImplementation(() => now() + 10 * DAY_S * 1000);
    const later = await browser.refresh().finally(() => jest.restoreAllMocks());
    const age = /Max-Age=(\d+)/.exec(later.headers.get('set-cookie') ?? '')?.[1];
    expect(later.status).toBe(200);
    expect(Number(age)).toBeLessThanOrEqual(20 * DAY_S);
    expect(Number(age)).toBeGreaterThan(20 * DAY_S - 60);
  });

  it('gives new access tokens, and a new cookie each time', async () => {
    const { browser, ann } = await signedIn();
    const before = browser.cookie('refreshToken');

    const answer = await browser.refresh({ origin: 'https://app.example.com' });
    const tokens = (await answer.json()) as { access_token: string };

    expect(claimsOf(tokens.access_token)).toMatchObject({
      sub: ann,
      tenant: 'acme',
      amr: ['fed', 'otp', 'mfa'],
      acr: ACR.twoFactors,
    });
    expect(Object.keys(tokens)).not.toContain('refresh_token');
    expect(browser.cookie('refreshToken')).not.toBe(before);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect((await browser.refresh()).status).toBe(200);
  });

  it.each([
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://app.example.com' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('is not used by pages of others: %j', async (headers) => {
    const { browser } = await signedIn();

    const refused = await browser.refresh(headers);
    const out = await browser.fetch('/api/auth/sign-out', {
      method: 'POST',
      headers: headers as Record<string, string>,
    });

    expect([refused.status, out.status]).toEqual([403, 403]);
    expect(await refused.json()).toMatchObject({ code: 'cross_site_request' });
    expect((await browser.refresh()).status).toBe(200);
  });

  it('answers 401 to who has none, or made one up', async () => {
    const nobody = new Browser(pods[0] ?? '');
    const forger = new Browser(pods[0] ?? '');
    forger.setCookie('refreshToken', 'ui.made-up', '/api/auth');

    for (const browser of [nobody, forger]) {
      const answer = await browser.refresh();
      expect([answer.status, await answer.json()]).toMatchObject([401, { code: 'signed_out' }]);
    }
  });

  it('gives a client that missed an answer the same one again', async () => {
    const { browser } = await signedIn();
    const lost = browser.cookie('refreshToken') ?? '';
    const first = await (await browser.refresh()).json();
    const next = browser.cookie('refreshToken');

    browser.setCookie('refreshToken', lost, '/api/auth');
    browser.pod = pods[1] ?? '';
    const second = await (await browser.refresh()).json();

    expect(second).toEqual(first);
    expect(browser.cookie('refreshToken')).toBe(next);
    expect((await browser.refresh()).status).toBe(200);
  });

  it('ends for everybody when a used token comes back later', async () => {
    const { browser, ann } = await signedIn();
    const stolen = browser.cookie('refreshToken') ?? '';
    await browser.refresh();
    await age(11);

    const thief = new Browser(pods[1] ?? '');
    thief.setCookie('refreshToken', stolen, '/api/auth');

    expect((await thief.refresh()).status).toBe(401);
    expect((await browser.refresh()).status).toBe(401);
    expect(await revocationOf(ann)).toBeGreaterThan(0);
    const [line] = await deployment.database.execute(
      `SELECT outcome, details FROM audit.audit_log
        WHERE actor_subject = $1 AND action = 'token.revoked'`,
      [ann],
    );
    expect(JSON.stringify(line)).toMatch(/denied.*replayed/);
  });

  it('survives a pod that dies between using a token and answering', async () => {
    const { browser } = await signedIn();
    const held = browser.cookie('refreshToken') ?? '';
    await browser.refresh();
    // What the dead pod left: a used token, and no answer.
    await deployment.database.execute(
      `UPDATE identity.oidc_records SET sealed_answer = NULL WHERE consumed_at IS NOT NULL`,
    );
    browser.setCookie('refreshToken', held, '/api/auth');
    await age(60);

    expect((await browser.refresh()).status).toBe(200);
    expect((await browser.refresh()).status).toBe(200);
  });

  it('is lost by nobody when 50 requests refresh it at once on two pods', async () => {
    const { browser } = await signedIn();
    const held = browser.cookie('refreshToken') ?? '';
    const tabs = Array.from({ length: 50 }, (_, tab) => {
      const one = new Browser(pods[tab % 2] ?? '');
      one.setCookie('refreshToken', held, '/api/auth');
      return one;
    });

    const answers = await Promise.all(tabs.map((tab) => tab.refresh()));

    const statuses = answers.map(({ status }) => status);
    const won = tabs.filter((_, tab) => statuses[tab] === 200);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(new Set(won.map((tab) => tab.cookie('refreshToken'))).size).toBe(1);
    expect((await won[0]?.refresh())?.status).toBe(200);
  });

  it('ends with signing out: the family, the browser’s session and the access tokens', async () => {
    const { browser, ann, token } = await signedIn();
    const held = browser.cookie('refreshToken') ?? '';
    const thief = new Browser(pods[1] ?? '');
    thief.setCookie('refreshToken', held, '/api/auth');
    thief.setCookie('oauthSession', browser.cookie('oauthSession') ?? '', '/oauth');

    const answer = await browser.fetch('/api/auth/sign-out', { method: 'POST' });

    expect(answer.status).toBe(204);
    expect([browser.cookie('refreshToken'), browser.cookie('oauthSession')]).toEqual([
      undefined,
      undefined,
    ]);
    expect((await thief.refresh()).status).toBe(401);
    const again = await thief.fetch(
      `${ISSUER}/oauth/authorize?client_id=ui&response_type=code&scope=openid` +
        `&redirect_uri=https://app.example.com/callback&code_challenge_method=S256` +
        `&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM`,
    );
    expect(again.headers.get('location')).toMatch('/api/auth/sign-in/');
    expect(await revocationOf(ann)).toBeGreaterThanOrEqual(Number(claimsOf(token)['iat']));
    expect((await browser.fetch('/api/auth/sign-out', { method: 'POST' })).status).toBe(204);
  });

  it('can begin again at once, with a token that holds', async () => {
    const { browser, ann } = await signedIn();
    await browser.fetch('/api/auth/sign-out', { method: 'POST' });

    const { access_token } = await browser.signInToUi(ann);

    expect(Number(claimsOf(access_token)['iat'])).toBeGreaterThan(await revocationOf(ann));
  });

  describe('is known to introspection (RFC 7662)', () => {
    async function introspect(token: string, secret = SERVICE_SECRET): Promise<unknown> {
      const answer = await fetch(new URL('/oauth/introspect', pods[1]), {
        method: 'POST',
        // Who takes anything is no browser for that.
        headers: { authorization: `Basic ${btoa(`robot:${secret}`)}`, accept: 'text/html, */*' },
        body: new URLSearchParams({ token }),
      });
      return answer.json();
    }

    it('until it ends', async () => {
      const { browser, ann, token } = await signedIn();

      const before = await introspect(token);
      await browser.fetch('/api/auth/sign-out', { method: 'POST' });

      expect(before).toMatchObject({ active: true, sub: ann, tenant: 'acme', aud: 'gateway' });
      expect(await introspect(token)).toEqual({ active: false });
    });

    it('until it is given back, by which nothing else of the sign-in ends (RFC 7009)', async () => {
      const { browser, token } = await signedIn();

      const answer = await fetch(new URL('/oauth/revoke', pods[0]), {
        method: 'POST',
        body: new URLSearchParams({ client_id: 'ui', token }),
      });

      expect([answer.status, await answer.text()]).toEqual([200, '']);
      expect(await introspect(token)).toEqual({ active: false });
      const refreshed = await browser.refresh();
      const { access_token } = (await refreshed.json()) as { access_token: string };
      expect(await introspect(access_token)).toMatchObject({ active: true });
    });

    it('by who authenticates, for tokens of ours and services of theirs', async () => {
      const { token, ann } = await signedIn();
      const other = new Browser(pods[0] ?? '');
      const forIdentity = await other.signInToUi(ann, { resource: 'urn:soma:identity' });
      const [header, , signature] = token.split('.');
      const forged = [
        header,
        Buffer.from(JSON.stringify({ ...claimsOf(token), tenant: 'globex' })).toString('base64url'),
        signature,
      ].join('.');

      expect(await introspect(token, 'wrong')).toMatchObject({ error: 'invalid_client' });
      for (const inactive of [forIdentity.access_token, forged, 'a.b.c', 'opaque']) {
        expect(await introspect(inactive)).toEqual({ active: false });
      }
    });
  });

  async function revocationOf(userId: string): Promise<number> {
    const [row] = await deployment.database.execute(
      `SELECT version FROM identity.config_updates WHERE entity = 'principal' AND entity_id = $1`,
      [`acme:${userId}`],
    );
    return Number(row?.['version'] ?? 0);
  }
});
