import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { IdentityDeployment, ISSUER, type Pod, REDIRECT_URI } from '../people/spec-support.ts';
import { newSomebody, ProviderServers } from './providers/spec-support.ts';
import { type Stop, type TestBrowser, UiClient } from './spec-support.ts';

const UNUSABLE = 'This invitation cannot be used';

describe('the tenant of a sign-in', () => {
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
    await deployment.database.execute(
      `INSERT INTO identity.tenants (tenant_id, name) VALUES ('initech', 'Initech & <Sons>')`,
    );
  });
  beforeEach(() => {
    providers.somebody = newSomebody();
  });
  afterAll(() => running.disposeAsync());

  /** An invitation to Initech, as its owner makes one. */
  async function invite(email = providers.somebody.email): Promise<{ token: string; id: string }> {
    const owner = await deployment.addPerson('owner', 'initech');
    const token = await pod.tokenOf(owner, { amr: ['fed', 'otp', 'mfa'], scope: 'members:write' });
    const { body } = await pod.post(token, '/v1/members/invitations', { email, role: 'member' });
    return { token: String(body['token']), id: String(body['invitation_id']) };
  }

  /** Somebody who is a member of these tenants, and signs in next. */
  async function member(...tenants: string[]): Promise<string> {
    const { user_id, email } = await deployment.addPerson('member', tenants[0]);
    for (const tenant of tenants.slice(1)) await deployment.addMember(user_id, 'viewer', tenant);
    providers.somebody = newSomebody({ email });
    return user_id;
  }

  const press = (browser: TestBrowser, stop: Stop, fields: Record<string, string>) =>
    browser.post(stop, `${stop.url.pathname}/tenant`, fields);

  async function tenantsOf(email = providers.somebody.email): Promise<unknown[]> {
    const rows = await deployment.database.execute(
      `SELECT tenant_id, role FROM identity.members JOIN identity.users USING (user_id)
        WHERE email = $1 ORDER BY tenant_id`,
      [email],
    );
    return rows.map(({ tenant_id, role }) => [tenant_id, role]);
  }

  function invitationLines(): Promise<Record<string, unknown>[]> {
    return deployment.database.execute(
      `SELECT actor_subject, outcome FROM audit.audit_log JOIN identity.users
           ON user_id::text = target_id
        WHERE tenant_id = 'initech' AND action = 'invitation.accepted' AND email = $1`,
      [providers.somebody.email],
    );
  }

  describe('that somebody is invited to', () => {
    it.each(['github', 'google', 'microsoft', 'apple'])(
      'is joined by whoever signs in with %s and agrees, and the sign-in goes on for it',
      async (provider) => {
        const { token } = await invite();

        const { browser, stop } = await client.signIn(provider, { invitation: token });
        expect(stop.page).toContain('Join Initech &#38; &#60;Sons&#62;?');
        expect(await tenantsOf()).toEqual([]);
        const claims = await client.tokenFor(await press(browser, stop, {}));

        expect(claims).toMatchObject({ tenant: 'initech', role: 'member', amr: ['fed'] });
        expect(await tenantsOf()).toEqual([['initech', 'member']]);
        expect(await invitationLines()).toEqual([
          { actor_subject: claims['sub'], outcome: 'success' },
        ]);
        expect(browser.visited.slice(1).join(' ')).not.toContain(token);
      },
    );

    it('may be one more, also for a browser that is signed in already', async () => {
      await member('acme');
      const { browser, stop } = await client.signIn('google');
      expect(await client.tokenFor(stop)).toMatchObject({ tenant: 'acme' });
      const { token } = await invite();

      const again = await client.begin({ invitation: token, tenant: 'initech' }, browser);
      expect(again.stop.page).toContain('value="acme"');
      const claims = await client.tokenFor(await press(browser, again.stop, {}));

      expect(claims).toMatchObject({ tenant: 'initech', role: 'member' });
      expect(await tenantsOf()).toEqual([
        ['acme', 'member'],
        ['initech', 'member'],
      ]);
    });

    it('is not joined by who would rather go on for their own, or leaves', async () => {
      await member('acme');
      const { token } = await invite();
      const { browser, stop } = await client.signIn('google', { invitation: token });
      const own = await client.tokenFor(await press(browser, stop, { tenant: 'acme' }));
      const next = await client.begin({ invitation: token }, browser);
      const left = await browser.post(next.stop, `${next.stop.url.pathname}/leave`, {});

      expect(own).toMatchObject({ tenant: 'acme' });
      expect(left.url.href).toMatch(`${REDIRECT_URI}?error=access_denied`);
      expect(await tenantsOf()).toEqual([['acme', 'member']]);
    });

    it.each([
      ['over', `expires_at = now() - interval '1 s'`],
      ['revoked', `revoked_at = now()`],
      ['used', `accepted_at = now()`],
      ['of another address', `email = 'somebody-else@example.com'`],
    ])('is not joined by an invitation that is %s, which a page says', async (_fault, change) => {
      const { token, id } = await invite();
      const spoil = () =>
        deployment.database.execute(
          `UPDATE identity.invitations SET ${change} WHERE invitation_id = $1`,
          [id],
        );
      const early = await client.signIn('github', { invitation: token });
      expect(early.stop.page).toContain('Join');
      await spoil();
      const pressed = await press(early.browser, early.stop, {});
      const late = await client.begin({ invitation: token }, early.browser);

      for (const { page } of [pressed, late.stop]) {
        expect(page).toContain(UNUSABLE);
        expect(page).not.toContain('Join');
      }
      expect(await tenantsOf()).toEqual([]);
      expect(await invitationLines()).toEqual([]);
    });

    it('is not joined by a token that nobody made', async () => {
      const { stop } = await client.signIn('google', { invitation: 'inv_x' });

      expect(stop.page).toContain(UNUSABLE);
    });

    it('is joined once by two browsers that agree at the same time', async () => {
      const { token } = await invite();
      const one = await client.signIn('google', { invitation: token });
      const two = await client.signIn('google', { invitation: token });

      const ends = await Promise.all([one, two].map((each) => press(each.browser, each.stop, {})));

      const [joined, ...others] = ends.filter(({ page }) => page === '');
      expect(joined && (await client.tokenFor(joined))).toMatchObject({ tenant: 'initech' });
      expect(others).toEqual([]);
      expect(ends.some(({ page }) => page.includes(UNUSABLE))).toBe(true);
      expect(await invitationLines()).toHaveLength(1);
    });
  });

  describe('where somebody has several', () => {
    it('is chosen on a page that needs no script', async () => {
      const user = await member('acme', 'initech');

      const { browser, stop } = await client.signIn('google');
      expect(stop.page).toContain('Where do you go?');
      expect(stop.page).toContain('<button name="tenant" value="acme">acme (member)</button>');
      expect(stop.page).toContain('Initech &#38; &#60;Sons&#62; (viewer)');
      expect(stop.page).not.toMatch(/<script|<img|<link/);
      const chosen = await press(browser, stop, { tenant: 'initech' });

      expect(await client.tokenFor(chosen)).toMatchObject({
        ...{ sub: user, tenant: 'initech', role: 'viewer' },
      });
    });

    it('is asked for each time, and of nobody who names it', async () => {
      await member('acme', 'initech');
      const { browser } = await client.signIn('google');
      const asked = await client.begin({}, browser);
      const silent = await client.begin({ prompt: 'none' }, browser);
      const named = await client.begin({ tenant: 'acme' }, browser);

      expect(asked.stop.page).toContain('Where do you go?');
      expect(silent.stop.url.searchParams.get('error')).toBe('interaction_required');
      expect(await client.tokenFor(named.stop)).toMatchObject({ tenant: 'acme' });
    });

    it('is none of others, whatever a form says', async () => {
      await member('acme', 'globex');
      const { browser, stop } = await client.signIn('google');

      for (const fields of [{ tenant: 'initech' }, { tenant: '' }, {}]) {
        const refused = await press(browser, stop, fields);
        expect([refused.url.search, refused.status]).toEqual(['?notice=not_chosen', 200]);
      }
    });

    it('is not chosen by another browser, nor before it is known who it is', async () => {
      await member('acme', 'initech');
      const { stop } = await client.signIn('google');
      const stranger = await client.begin();

      const foreign = await press(stranger.browser, stop, { tenant: 'acme' });
      const early = await press(stranger.browser, stranger.stop, { tenant: 'acme' });

      expect([foreign.status, foreign.page.includes('This sign-in is over')]).toEqual([400, true]);
      expect(early.page).toContain('Sign in with');
    });

    it('does not make somebody who has just signed in as asked do so again', async () => {
      await member('acme', 'initech');
      const before = Math.floor(Date.now() / 1000);
      const first = await client.signIn('google', {
        ...{ prompt: 'login', max_age: '0', acr_values: 'urn:soma:acr:passkey' },
      });
      const claims = await client.tokenFor(
        await press(first.browser, first.stop, { tenant: 'acme' }),
      );

      expect(claims['auth_time']).toBeGreaterThanOrEqual(before);
      expect(claims).toMatchObject({ tenant: 'acme', acr: 'urn:soma:acr:one-factor' });
    });
  });
});
