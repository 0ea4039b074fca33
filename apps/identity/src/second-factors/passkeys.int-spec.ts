import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SoftwareAuthenticator } from '@soma/testing';
import {
  claimsOf,
  IdentityDeployment,
  ISSUER,
  type Person,
  type Pod,
} from '../people/spec-support.ts';

const PASSKEYS = '/api/auth/mfa/passkeys';
const VERIFY = '/api/auth/mfa/verify';

describe('passkeys', () => {
  const running = new AsyncDisposableStack();
  let deployment: IdentityDeployment;
  let pods: [Pod, Pod];

  beforeAll(async () => {
    deployment = running.use(await IdentityDeployment.start());
    pods = [await deployment.startPod(), await deployment.startPod()];
  });
  afterAll(() => running.disposeAsync());

  async function challengeFor(token: string, path: string): Promise<string> {
    const { status, body } = await pods[0].post(token, path);
    expect([status, body]).toEqual([200, expect.anything()]);
    return String(body['challenge']);
  }

  interface Registered {
    person: Person;
    token: string;
    key: SoftwareAuthenticator;
  }

  async function register(
    key = new SoftwareAuthenticator({ origin: ISSUER }),
  ): Promise<Registered> {
    const person = await deployment.addPerson();
    const token = await pods[0].tokenOf(person);
    const challenge = await challengeFor(token, `${PASSKEYS}/registration`);
    const registration = { name: 'My phone', response: key.create(challenge) };
    const registered = await pods[1].post(token, PASSKEYS, registration);
    expect([registered.status, registered.body]).toEqual([201, { passkey_id: key.id }]);
    return { person, token, key };
  }

  it('are registered by what the authenticator signs, and prove their person from then on', async () => {
    const { person, token, key } = await register();
    const challenge = await challengeFor(token, `${PASSKEYS}/proof`);

    const proved = await pods[1].post(token, VERIFY, { passkey: key.get(challenge) });
    const claims = claimsOf(String(proved.body['access_token']));

    expect(claims).toMatchObject({
      sub: person.user_id,
      acr: 'urn:soma:acr:passkey',
      amr: ['fed', 'hwk', 'user', 'mfa'],
    });
    expect((await pods[0].ask(token, PASSKEYS)).body).toEqual({
      passkeys: [
        {
          passkey_id: key.id,
          name: 'My phone',
          created_at: expect.stringMatching(/Z$/),
          last_used_at: expect.stringMatching(/Z$/),
        },
      ],
    });
    expect(await deployment.auditOf(person)).toEqual([
      ['second_factor.enrolled', 'success', { factor: 'passkey', passkey: key.id }],
      ['second_factor.verified', 'success', { factor: 'passkey', passkey: key.id }],
    ]);
  });

  it('say in the token what kind of proof it was', async () => {
    const { token, key } = await register(
      new SoftwareAuthenticator({ origin: ISSUER, isSynced: true, isUserVerified: false }),
    );
    const challenge = await challengeFor(token, `${PASSKEYS}/proof`);
    const proved = await pods[0].post(token, VERIFY, { passkey: key.get(challenge) });

    expect(claimsOf(String(proved.body['access_token']))['amr']).toEqual(['fed', 'swk', 'mfa']);
  });

  it('sign a challenge once, also on two pods at once', async () => {
    const { token, key } = await register();
    const passkey = key.get(await challengeFor(token, `${PASSKEYS}/proof`));

    const answers = await Promise.all(
      [0, 1].map((pod) => pods[pod as 0 | 1].post(token, VERIFY, { passkey })),
    );

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403]);
  });

  it('are refused from a look-alike page, for another person, by another key, or twice counted', async () => {
    const { token, key } = await register();
    const other = await register();
    const lookAlike = new SoftwareAuthenticator({ origin: 'https://id.example.com.evil.org' });
    const stranger = new SoftwareAuthenticator({ origin: ISSUER });
    const proof = () => challengeFor(token, `${PASSKEYS}/proof`);
    const attempts = [
      { ...lookAlike.get(await proof()), id: key.id, rawId: key.id },
      { ...stranger.get(await proof()), id: key.id, rawId: key.id },
      stranger.get(await proof()),
      key.get(await challengeFor(other.token, `${PASSKEYS}/proof`)),
      key.get('bWFkZSB1cA'),
    ];

    for (const passkey of attempts) {
      const answer = await pods[0].post(token, VERIFY, { passkey });
      expect([answer.status, answer.body['code']]).toEqual([403, 'second_factor_refused']);
    }
    expect((await pods[0].post(token, VERIFY, { passkey: key.get(await proof()) })).status).toBe(
      200,
    );
    key.counter -= 1;
    expect((await pods[0].post(token, VERIFY, { passkey: key.get(await proof()) })).status).toBe(
      403,
    );
  });

  it('are not registered from a look-alike page, nor with a challenge that was used', async () => {
    const person = await deployment.addPerson();
    const token = await pods[0].tokenOf(person);
    const challenge = await challengeFor(token, `${PASSKEYS}/registration`);
    const key = new SoftwareAuthenticator({ origin: 'https://id.example.org' });
    const register = (response: unknown) => pods[0].post(token, PASSKEYS, { name: 'x', response });

    expect((await register(key.create(challenge))).status).toBe(403);
    const right = new SoftwareAuthenticator({ origin: ISSUER });
    expect((await register(right.create(challenge))).status).toBe(403);
    expect((await register({ ...right.create(challenge), type: 'password' })).status).toBe(400);
    expect((await pods[0].ask(token, PASSKEYS)).body).toEqual({ passkeys: [] });
  });

  it('count as a second factor: the next change takes one', async () => {
    const { person, token, key } = await register();
    const proved = await pods[0].tokenOf(person, { amr: ['fed', 'hwk', 'mfa'] });

    expect((await pods[0].post(token, `${PASSKEYS}/registration`)).status).toBe(401);
    expect((await pods[0].ask(token, `${PASSKEYS}/${key.id}`, { method: 'DELETE' })).status).toBe(
      401,
    );
    const gone = await pods[0].ask(proved, `${PASSKEYS}/${key.id}`, { method: 'DELETE' });
    const again = await pods[0].ask(proved, `${PASSKEYS}/${key.id}`, { method: 'DELETE' });
    expect([gone.status, again.status]).toEqual([204, 404]);
  });
});
