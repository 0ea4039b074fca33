import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ACR } from '@soma/auth';
import { until } from '@soma/testing';
import * as openid from 'openid-client';
import { Browser } from './browser/spec-support.ts';
import { claimsOf, Deployment, ISSUER, REDIRECT_URI } from './spec-support.ts';

/** RFC 7636, appendix B. */
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

describe('a sign-in', () => {
  const running = new AsyncDisposableStack();
  let deployment: Deployment;
  let pod: string;

  beforeAll(async () => {
    deployment = running.use(await Deployment.start());
    pod = await (await deployment.startPod()).getUrl();
  });
  afterAll(() => running.disposeAsync());

  /** A good request of the web interface, but for what is changed. */
  function requestOf(changed: Record<string, string | undefined> = {}): URL {
    const parameters: Record<string, string | undefined> = {
      client_id: 'ui',
      redirect_uri: REDIRECT_URI,
      response_type: 'code',
      scope: 'openid sessions:read',
      state: 'state-1',
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
      ...changed,
    };
    const url = new URL('/oauth/authorize', ISSUER);
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    return url;
  }

  function exchange(code: string | null, changed: Record<string, string> = {}): Promise<Response> {
    const parameters = {
      grant_type: 'authorization_code',
      client_id: 'ui',
      redirect_uri: REDIRECT_URI,
      code: code ?? '',
      code_verifier: VERIFIER,
      ...changed,
    };
    return fetch(new URL('/oauth/token', pod), {
      method: 'POST',
      body: new URLSearchParams(parameters),
    });
  }

  async function codeFor(userId: string, changed: Record<string, string> = {}): Promise<string> {
    const end = await new Browser(pod).signIn(requestOf(changed), userId);
    return end.searchParams.get('code') ?? `none: ${end.search}`;
  }

  it('gives a token of the person in their tenant, for what their role may do', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });

    const tokens = await new Browser(pod).signInToUi(ann);

    expect(claimsOf(tokens.access_token)).toMatchObject({
      iss: ISSUER,
      aud: 'gateway',
      sub: ann,
      tenant: 'acme',
      role: 'member',
      scope: 'sessions:read sessions:write',
      amr: ['fed', 'otp', 'mfa'],
      acr: ACR.twoFactors,
      auth_time: expect.any(Number),
      jti: expect.any(String),
    });
    expect(tokens.expires_in).toBe(900);
    expect(tokens.claims()).toMatchObject({ sub: ann, email: `${ann}@example.com` });
  });

  it('says in the token what the person is now, and nothing once they are no member', async () => {
    const ann = await deployment.addPerson({ acme: 'owner' });
    const browser = new Browser(pod);
    const before = await browser.signInToUi(ann);
    const role = (name: string) =>
      deployment.database.execute(`UPDATE identity.members SET role = $2 WHERE user_id = $1`, [
        ann,
        name,
      ]);

    await role('viewer');
    const demoted = (await (await browser.refresh()).json()) as { access_token: string };
    await deployment.database.execute(`DELETE FROM identity.members WHERE user_id = $1`, [ann]);
    const removed = await browser.refresh();

    expect(claimsOf(before.access_token)['scope']).toContain('members:write');
    expect(claimsOf(demoted.access_token)).toMatchObject({
      role: 'viewer',
      scope: 'sessions:read',
    });
    expect(removed.status).toBe(401);
  });

  it('ends for a person who was disabled', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });
    const browser = new Browser(pod);
    await browser.signInToUi(ann);

    await deployment.database.execute(
      `UPDATE identity.users SET disabled_at = now() WHERE user_id = $1`,
      [ann],
    );

    expect((await browser.refresh()).status).toBe(401);
  });

  it('takes the tenant that the client names, of those that the person has', async () => {
    const ann = await deployment.addPerson({ acme: 'member', globex: 'viewer' });

    const named = await new Browser(pod).signInToUi(ann, { tenant: 'globex' });
    const another = new Browser(pod).signInToUi(ann, { tenant: 'initech' });

    expect(claimsOf(named.access_token)).toMatchObject({ tenant: 'globex', role: 'viewer' });
    await expect(another).rejects.toMatchObject({ error: 'access_denied' });
  });

  it('issues a token for the service that is asked for, if the client may ask (RFC 8707)', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });

    const tokens = await new Browser(pod).signInToUi(ann, { resource: 'urn:soma:identity' });
    const refused = new Browser(pod).signInToUi(ann, { resource: 'urn:soma:tool-executor' });

    expect(claimsOf(tokens.access_token)['aud']).toBe('identity');
    await expect(refused).rejects.toMatchObject({ error: 'invalid_target' });
  });

  it('is remembered by the browser, and not by another', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });
    const browser = new Browser(pod);
    await browser.signInToUi(ann);

    const again = await browser.fetch(requestOf().href);
    const elsewhere = await new Browser(pod).fetch(requestOf().href);

    expect(new URL(again.headers.get('location') ?? '').searchParams.get('code')).toMatch(/./);
    expect(elsewhere.headers.get('location')).toMatch(/^\/api\/auth\/sign-in\//);
  });

  it('is asked for again when the client needs a stronger one (RFC 9470)', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });
    const browser = new Browser(pod);
    await browser.signInToUi(ann);
    const answerTo = async (acr_values: string) =>
      (await browser.fetch(requestOf({ acr_values }).href)).headers.get('location');

    expect(await answerTo(ACR.twoFactors)).toMatch('?code=');
    expect(await answerTo(`${ACR.passkey} ${ACR.oneFactor}`)).toMatch('?code=');
    expect(await answerTo('unknown')).toMatch('?code=');
    expect(await answerTo(ACR.passkey)).toMatch('/api/auth/sign-in/');
    const end = await browser.signIn(requestOf({ acr_values: ACR.passkey }), ann);
    expect(end.searchParams.get('code')).toMatch(/./);
  });

  it('sends a person who does not sign in back with the reason', async () => {
    const browser = new Browser(pod);
    const begun = await browser.fetch(requestOf().href);
    const refused = await browser.fetch(begun.headers.get('location') ?? '');

    const end = await browser.fetch(refused.headers.get('location') ?? '');

    expect(end.headers.get('location')).toMatch(`${REDIRECT_URI}?error=access_denied`);
    expect(end.headers.get('location')).toMatch('state=state-1');
  });

  describe('with PKCE (RFC 7636)', () => {
    it('knows the verifier and challenge of appendix B', async () => {
      const ann = await deployment.addPerson({ acme: 'member' });

      const good = await exchange(await codeFor(ann));
      const bad = await exchange(await codeFor(ann), {
        code_verifier: VERIFIER.replace('d', 'e'),
      });

      expect(await openid.calculatePKCECodeChallenge(VERIFIER)).toBe(CHALLENGE);
      expect(good.status).toBe(200);
      expect([bad.status, await bad.json()]).toMatchObject([400, { error: 'invalid_grant' }]);
    });

    it.each([
      ['no challenge', { code_challenge: undefined, code_challenge_method: undefined }],
      ['the method plain', { code_challenge_method: 'plain' }],
      ['no method, which means plain', { code_challenge_method: undefined }],
      ['a challenge that is none', { code_challenge: 'short' }],
    ])('refuses a request with %s', async (_fault, changed) => {
      const answer = await new Browser(pod).fetch(requestOf(changed).href);

      expect(answer.headers.get('location')).toMatch(`${REDIRECT_URI}?error=invalid_request`);
    });

    it('refuses a code without its verifier', async () => {
      const ann = await deployment.addPerson({ acme: 'member' });
      const answer = await fetch(new URL('/oauth/token', pod), {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          client_id: 'ui',
          redirect_uri: REDIRECT_URI,
          code: await codeFor(ann),
        }),
      });

      expect(answer.status).toBe(400);
    });
  });

  describe('sends a browser back', () => {
    it.each([
      `${REDIRECT_URI}/`,
      `${REDIRECT_URI}?next=1`,
      `${REDIRECT_URI}#part`,
      REDIRECT_URI.replace('callback', 'CALLBACK'),
      REDIRECT_URI.replace('https', 'http'),
      REDIRECT_URI.replace('app.', 'app.evil.'),
      REDIRECT_URI.replace('/callback', '/x/../callback'),
      REDIRECT_URI.replace('https://', 'https://app.example.com@evil.example/'),
      'https://evil.example/callback',
      '//evil.example/callback',
      'javascript:alert(1)',
    ])('never to %s', async (redirect_uri) => {
      const answer = await new Browser(pod).fetch(requestOf({ redirect_uri }).href, {
        headers: { accept: 'text/html' },
      });

      expect(answer.status).toBe(400);
      expect(answer.headers.get('location')).toBeNull();
      expect(answer.headers.get('content-security-policy')).toMatch("default-src 'none'");
      expect(await answer.text()).not.toContain('<script');
    });

    it('to no address of a proxy’s or client’s choice (Host, X-Forwarded-Host)', async () => {
      const answer = await new Browser(pod).fetch(requestOf({ prompt: 'login' }).href, {
        headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http' },
      });
      const document = await fetch(new URL('/.well-known/openid-configuration', pod), {
        headers: { 'x-forwarded-host': 'evil.example' },
      });

      expect(JSON.stringify([...answer.headers])).not.toContain('evil');
      expect(await document.text()).not.toContain('evil');
    });

    it('with its state and the issuer, in one place', async () => {
      const ann = await deployment.addPerson({ acme: 'member' });

      const end = await new Browser(pod).signIn(requestOf({ state: 'a&b=c d' }), ann);

      expect(end.searchParams.getAll('state')).toEqual(['a&b=c d']);
      // RFC 9207
      expect(end.searchParams.get('iss')).toBe(ISSUER);
      expect(end.hash).toBe('');
    });

    it('with nothing but a code: no token comes by the address', async () => {
      for (const response_type of ['token', 'id_token', 'code id_token', 'none']) {
        const answer = await new Browser(pod).fetch(requestOf({ response_type }).href);

        expect(answer.headers.get('location')).toMatch('error=unsupported_response_type');
      }
    });
  });

  it('exchanges a code once; who tries again ends what came of it', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });
    const code = await codeFor(ann);
    const first = await exchange(code);
    const [cookie = ''] = first.headers.getSetCookie();

    const second = await exchange(code);
    const refreshed = await fetch(new URL('/api/auth/refresh', pod), {
      method: 'POST',
      headers: { cookie: cookie.split(';')[0] ?? '' },
    });

    expect([first.status, second.status, refreshed.status]).toEqual([200, 400, 401]);
    expect(await updatesOf(ann)).toMatchObject([{ entity_id: `acme:${ann}` }]);
  });

  it('exchanges a code once, however many try at the same time', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });
    const code = await codeFor(ann);

    const answers = await Promise.all(Array.from({ length: 8 }, () => exchange(code)));

    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
  });

  it.each([
    ['another client', { client_id: 'cli' }],
    ['another address', { redirect_uri: `${REDIRECT_URI}/` }],
    ['no address', { redirect_uri: '' }],
  ])('refuses a code that comes with %s', async (_fault, changed) => {
    const ann = await deployment.addPerson({ acme: 'member' });

    const answer = await exchange(await codeFor(ann), changed);

    expect(answer.status).toBe(400);
  });

  it('keeps no id and no secret of it in the database (P8)', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });
    const browser = new Browser(pod);
    await browser.signInToUi(ann);

    const stored = JSON.stringify(
      await deployment.database.execute(
        `SELECT *, encode(id_hash, 'escape') FROM identity.oidc_records`,
      ),
    );

    expect(stored).not.toContain(ann);
    for (const name of ['refreshToken', 'oauthSession']) {
      const [, secret = ''] = /([\w-]{43})$/.exec(browser.cookie(name) ?? '') ?? [];
      expect(secret).toHaveLength(43);
      expect(stored).not.toContain(secret);
    }
  });

  it('leaves nothing behind once it has had its time', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });
    await new Browser(pod).signInToUi(ann);
    const count = async () =>
      (await deployment.database.execute('SELECT FROM identity.oidc_records')).length;
    const before = await count();
    await deployment.database.execute(
      `UPDATE identity.oidc_records SET expires_at = now() - interval '1 s' WHERE model = 'Session'`,
    );

    // A pod looks when it starts, and then again and again.
    await deployment.startPod();

    await until(async () => (await count()) !== before);
    const models = await deployment.database.execute('SELECT model FROM identity.oidc_records');
    expect(models).not.toContainEqual({ model: 'Session' });
    expect(models).toContainEqual({ model: 'RefreshToken' });
  });

  it('is written in the audit log', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });
    await new Browser(pod).signInToUi(ann);

    const lines = await deployment.database.execute(
      `SELECT action, outcome, details FROM audit.audit_log WHERE actor_subject = $1`,
      [ann],
    );

    expect(lines).toMatchObject([{ action: 'token.issued', outcome: 'success' }]);
  });

  function updatesOf(userId: string): Promise<Record<string, unknown>[]> {
    return deployment.database.execute(
      `SELECT entity_id, version FROM identity.config_updates WHERE entity_id LIKE '%' || $1`,
      [userId],
    );
  }
});
