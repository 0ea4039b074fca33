import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@soma/kernel';
import { SoftwareAuthenticator } from '@soma/testing';
import { generateSync } from 'otplib';
import { IdentityDeployment, ISSUER, type Person, type Pod } from '../people/spec-support.ts';
import { newSomebody, ProviderServers } from './providers/spec-support.ts';
import { choose, type Stop, type TestBrowser, UiClient } from './spec-support.ts';

const TWO_FACTORS = 'urn:soma:acr:two-factors';
const PASSKEY = 'urn:soma:acr:passkey';

describe('a client that asks for more than a session', () => {
  const running = new AsyncDisposableStack();
  let deployment: IdentityDeployment;
  let providers: ProviderServers;
  let pod: Pod;
  let client: UiClient;
  let ann: Person;
  let browser: TestBrowser;
  let first: Record<string, unknown>;

  beforeAll(async () => {
    deployment = running.use(await IdentityDeployment.start());
    providers = running.use(await new ProviderServers(ISSUER).start());
    pod = await deployment.startPod(providers.settings, providers.endpoints);
    client = new UiClient(pod.url);
  });
  /** Ann is signed in by a provider alone, a second ago or more. */
  beforeEach(async () => {
    ann = await deployment.addPerson('member');
    providers.somebody = newSomebody({ email: ann.email });
    const signedIn = await client.signIn('google');
    browser = signedIn.browser;
    first = await client.tokenFor(signedIn.stop);
    while (Math.floor(Date.now() / 1000) <= Number(first['auth_time'])) await sleep(50);
  });
  afterAll(() => running.disposeAsync());

  /** Sets up an app; what it shows now. */
  async function addTotp(): Promise<() => string> {
    const own = await pod.tokenOf(ann, { amr: ['fed', 'mfa'] });
    const { body } = await pod.post(own, '/api/auth/mfa/totp');
    const codeNow = () => generateSync({ secret: String(body['secret']) });
    await pod.post(own, '/api/auth/mfa/totp/confirm', { code: codeNow() });
    await deployment.database.execute(`UPDATE identity.totp_factors SET last_used_step = 0`);
    return codeNow;
  }

  async function addPasskey(): Promise<SoftwareAuthenticator> {
    const own = await pod.tokenOf(ann, { amr: ['fed', 'mfa'] });
    const key = new SoftwareAuthenticator({ origin: ISSUER });
    const { body } = await pod.post(own, '/api/auth/mfa/passkeys/registration');
    const response = key.create(String(body['challenge']));
    await pod.post(own, '/api/auth/mfa/passkeys', { name: 'Phone', response });
    return key;
  }

  const prove = (stop: Stop, proof: Record<string, string>) =>
    browser.post(stop, `${stop.url.pathname}/second-factor`, proof);

  function usePasskey(stop: Stop, key: SoftwareAuthenticator): Promise<Stop> {
    const options = /data-options="([^"]+)"/.exec(stop.page)?.[1]?.replaceAll('&#34;', '"') ?? '';
    const { challenge } = JSON.parse(options) as { challenge: string };
    return prove(stop, { passkey: JSON.stringify(key.get(challenge)) });
  }

  it('gets the second factor of whom the browser knows, and no other sign-in', async () => {
    const codeNow = await addTotp();
    const elsewhere = browser.visited.length;

    const { stop } = await client.begin({ acr_values: TWO_FACTORS }, browser);
    expect(stop.page).toContain('Prove that it is you');
    const wrong = await prove(stop, { code: '000000' });
    expect(wrong.url.search).toBe('?notice=refused');
    const claims = await client.tokenFor(await prove(wrong, { code: codeNow() }));

    expect(claims).toMatchObject({
      ...{ sub: ann.user_id, acr: TWO_FACTORS, amr: ['fed', 'otp', 'mfa'] },
    });
    expect(claims['auth_time']).toBeGreaterThan(Number(first['auth_time']));
    expect(browser.visited.slice(elsewhere).filter(({ host }) => host.startsWith('127.'))).toEqual(
      [],
    );
    // It holds for the next client of this browser too.
    const { stop: again } = await client.begin({ acr_values: TWO_FACTORS }, browser);
    expect(await client.tokenFor(again)).toMatchObject({ acr: TWO_FACTORS });
  });

  it('gets a passkey, and no code in its place, where it asks for one', async () => {
    const codeNow = await addTotp();
    const key = await addPasskey();
    const app = await client.begin({ acr_values: TWO_FACTORS }, browser);
    await client.tokenFor(await prove(app.stop, { code: codeNow() }));

    const { stop } = await client.begin({ acr_values: PASSKEY }, browser);
    expect(stop.page).toContain('Use a passkey');
    expect(stop.page).not.toContain('name="code"');
    const claims = await client.tokenFor(await usePasskey(stop, key));

    expect(claims).toMatchObject({ sub: ann.user_id, acr: PASSKEY });
    expect(claims['amr']).toEqual(expect.arrayContaining(['fed', 'hwk', 'mfa']));
  });

  it('gets what there is of somebody who has no second factor', async () => {
    const { stop } = await client.begin({ acr_values: PASSKEY }, browser);

    expect(await client.tokenFor(stop)).toMatchObject({
      ...{ sub: ann.user_id, acr: 'urn:soma:acr:one-factor', amr: ['fed'] },
      // Nothing was proved: P7.
      auth_time: first['auth_time'],
    });
  });

  it('gets no fresh sign-in of somebody who has two factors and not the third', async () => {
    const codeNow = await addTotp();
    const { stop } = await client.begin({ acr_values: TWO_FACTORS }, browser);
    const strong = await client.tokenFor(await prove(stop, { code: codeNow() }));
    while (Math.floor(Date.now() / 1000) <= Number(strong['auth_time'])) await sleep(50);

    const { stop: again } = await client.begin({ acr_values: PASSKEY }, browser);

    expect(await client.tokenFor(again)).toMatchObject({
      ...{ sub: ann.user_id, acr: TWO_FACTORS, auth_time: strong['auth_time'] },
    });
  });

  it('is gone back to by a browser that loads the page again after its end', async () => {
    const codeNow = await addTotp();
    const { stop } = await client.begin({ acr_values: TWO_FACTORS }, browser);
    let isAtEnd = false;
    browser.tamper = (url) => {
      if (isAtEnd || !url.pathname.startsWith('/oauth/authorize/')) return url;
      isAtEnd = true;
      return stop.url;
    };

    const claims = await client.tokenFor(await prove(stop, { code: codeNow() }));

    expect(isAtEnd).toBe(true);
    expect(claims).toMatchObject({ sub: ann.user_id, acr: TWO_FACTORS });
  });

  it.each([{ prompt: 'login' }, { max_age: '0' }] as Record<string, string>[])(
    'gets a new sign-in, second factor included, by %j',
    async (parameters) => {
      const codeNow = await addTotp();
      const silent = await client.begin({}, browser);
      expect(await client.tokenFor(silent.stop)).toMatchObject({ auth_time: first['auth_time'] });

      const { stop } = await client.begin({ ...parameters, acr_values: TWO_FACTORS }, browser);
      expect(stop.page).toContain('Sign in with Google');
      const asked = await choose(browser, stop, 'google');
      expect(asked.page).toContain('Prove that it is you');
      const claims = await client.tokenFor(await prove(asked, { code: codeNow() }));

      expect(claims).toMatchObject({ sub: ann.user_id, acr: TWO_FACTORS });
      expect(claims['auth_time']).toBeGreaterThan(Number(first['auth_time']));
    },
  );

  it('is told so when it may not ask the person', async () => {
    await addTotp();
    const { stop } = await client.begin({ acr_values: TWO_FACTORS, prompt: 'none' }, browser);

    expect(stop.url.searchParams.get('error')).toBe('interaction_required');
  });
});
