import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateSync } from 'otplib';
import {
  claimsOf,
  IdentityDeployment,
  ISSUER,
  type Person,
  type Pod,
} from '../people/spec-support.ts';

const TOTP = '/api/auth/mfa/totp';
const VERIFY = '/api/auth/mfa/verify';
const STEP_S = 30;
/** What a step-up gives: enough to change the factors again. */
const PROVED = { amr: ['fed', 'otp', 'mfa'] };

describe('second factors', () => {
  const running = new AsyncDisposableStack();
  let deployment: IdentityDeployment;
  let pods: [Pod, Pod];

  beforeAll(async () => {
    deployment = running.use(await IdentityDeployment.start());
    pods = [await deployment.startPod(), await deployment.startPod()];
  });
  afterAll(() => running.disposeAsync());

  /** The code of now, or of so many steps from now. It stays good while a step ends meanwhile. */
  function codeOf(secret: string, steps = 0): string {
    return generateSync({ secret, epoch: Math.floor(Date.now() / 1000) + steps * STEP_S });
  }

  interface Enrolled {
    person: Person;
    token: string;
    secret: string;
    recoveryCodes: string[];
  }

  /** Somebody with an app, as if it had been confirmed long ago: no code of now has been used. */
  async function enrol(): Promise<Enrolled> {
    const [pod] = pods;
    const person = await deployment.addPerson();
    const token = await pod.tokenOf(person);
    const { body } = await pod.post(token, TOTP);
    const secret = String(body['secret']);
    const confirmed = await pod.post(token, `${TOTP}/confirm`, { code: codeOf(secret) });
    expect([confirmed.status, confirmed.body]).toEqual([200, expect.anything()]);
    await deployment.database.execute(
      `UPDATE identity.totp_factors SET last_used_step = 0 WHERE user_id = $1`,
      [person.user_id],
    );
    const { recovery_codes } = confirmed.body as { recovery_codes: string[] };
    return { person, token, secret, recoveryCodes: recovery_codes };
  }

  it('sets an app up: a picture, a code, ten recovery codes', async () => {
    const [pod] = pods;
    const person = await deployment.addPerson();
    const token = await pod.tokenOf(person);

    const begun = await pod.post(token, TOTP);
    const secret = String(begun.body['secret']);
    const before = await pod.ask(token, '/api/auth/mfa');
    const confirmed = await pod.post(token, `${TOTP}/confirm`, { code: codeOf(secret) });
    const after = await pod.ask(token, '/api/auth/mfa');

    expect(begun).toMatchObject({
      status: 200,
      body: {
        otpauth_url: expect.stringContaining(`secret=${secret}`),
        qr_code: expect.stringMatching(/^data:image\/svg\+xml;base64,/),
      },
    });
    expect(confirmed.status).toBe(200);
    const codes = confirmed.body['recovery_codes'] as string[];
    expect(new Set(codes).size).toBe(10);
    expect(codes.every((code) => /^(?:[0-9a-z]{4}-){3}[0-9a-z]{4}$/.test(code))).toBe(true);
    expect(before.body).toEqual({ totp_confirmed_at: null, passkeys: 0, recovery_codes_left: 0 });
    expect(after.body).toMatchObject({
      totp_confirmed_at: expect.stringMatching(/Z$/),
      recovery_codes_left: 10,
    });
    expect(await deployment.auditOf(person)).toEqual([
      ['second_factor.enrolled', 'success', { factor: 'totp' }],
    ]);
  });

  it('takes a code once, also on two pods at once', async () => {
    const { person, token, secret } = await enrol();
    const [code, earlier] = [codeOf(secret), codeOf(secret, -1)];

    const answers = await Promise.all(
      [0, 1, 0, 1].map((pod) => pods[pod as 0 | 1].post(token, VERIFY, { code })),
    );

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403, 403, 403]);
    expect((await pods[0].post(token, VERIFY, { code: earlier })).status).toBe(403);
    const said = (await deployment.auditOf(person)).map((line) => (line as string[])[0]);
    expect(said.filter((action) => action === 'second_factor.verified')).toHaveLength(1);
  });

  it('looks at five codes and then at none, right ones included', async () => {
    const { token, secret } = await enrol();
    const wrong = { code: '000000' };

    const tried = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        pods[(index % 2) as 0 | 1].post(token, VERIFY, wrong),
      ),
    );
    const right = await pods[0].post(token, VERIFY, { code: codeOf(secret) });

    const statuses = tried.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array<number>(5).fill(403), ...Array<number>(15).fill(429)]);
    expect(right).toMatchObject({ status: 429, body: { code: 'second_factor_locked' } });
    const wait = Number(right.headers.get('retry-after'));
    expect([wait > 14 * 60, wait <= 15 * 60]).toEqual([true, true]);
  });

  it('forgets the tries of who has shown a right code, and those of long ago', async () => {
    const { person, token, secret } = await enrol();
    const wrong = () => pods[0].post(token, VERIFY, { code: '000000' });
    for (let tries = 0; tries < 4; tries++) await wrong();
    expect((await pods[0].post(token, VERIFY, { code: codeOf(secret) })).status).toBe(200);

    for (let tries = 0; tries < 5; tries++) expect((await wrong()).status).toBe(403);
    expect((await wrong()).status).toBe(429);
    await deployment.database.execute(
      `UPDATE identity.second_factor_tries SET ends_at = now() WHERE user_id = $1`,
      [person.user_id],
    );
    expect((await wrong()).status).toBe(403);
  });

  it('takes a recovery code once, however it is typed and on two pods at once', async () => {
    const { token, recoveryCodes } = await enrol();
    const [first = '', second = ''] = recoveryCodes;

    const answers = await Promise.all(
      [0, 1].map((pod) => pods[pod as 0 | 1].post(token, VERIFY, { code: first })),
    );
    const typed = ` ${second.toUpperCase().replaceAll('-', ' ').replaceAll('0', 'O')} `;
    const odd = await pods[0].post(token, VERIFY, { code: typed });

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403]);
    expect(odd.status).toBe(200);
    expect((await pods[0].ask(token, '/api/auth/mfa')).body['recovery_codes_left']).toBe(8);
  });

  it('demands a second factor of who has one before it changes any', async () => {
    const { person, token } = await enrol();
    const [pod] = pods;
    const stale = await pod.tokenOf(person, {
      ...PROVED,
      authenticatedAt: Math.floor(Date.now() / 1000) - 301,
    });

    for (const refused of [token, stale]) {
      const answers = [
        await pod.ask(refused, TOTP, { method: 'DELETE' }),
        await pod.post(refused, TOTP),
        await pod.post(refused, '/api/auth/mfa/recovery-codes'),
        await pod.post(refused, '/api/auth/mfa/passkeys/registration'),
      ];
      expect(answers.map(({ status, body }) => [status, body['code']])).toEqual(
        answers.map(() => [401, 'step_up_required']),
      );
      expect(answers[0]?.headers.get('www-authenticate')).toContain(
        'error="insufficient_user_authentication"',
      );
    }
  });

  it('demands a fresh sign-in for the first one', async () => {
    const person = await deployment.addPerson();
    const stale = await pods[0].tokenOf(person, {
      authenticatedAt: Math.floor(Date.now() / 1000) - 301,
    });

    expect((await pods[0].post(stale, TOTP)).body['code']).toBe('step_up_required');
  });

  it('gives new recovery codes in the place of the old, and forgets them with the app', async () => {
    const { person, recoveryCodes } = await enrol();
    const [pod] = pods;
    const token = await pod.tokenOf(person, PROVED);

    expect((await pod.post(token, TOTP)).body['code']).toBe('totp_exists');
    const renewed = await pod.post(token, '/api/auth/mfa/recovery-codes');
    const old = await pod.post(token, VERIFY, { code: recoveryCodes[0] });
    const removed = await pod.ask(token, TOTP, { method: 'DELETE' });

    expect([renewed.status, old.status, removed.status]).toEqual([200, 403, 204]);
    expect((await pod.ask(token, '/api/auth/mfa')).body).toEqual({
      ...{ totp_confirmed_at: null, passkeys: 0, recovery_codes_left: 0 },
    });
    expect((await deployment.auditOf(person)).map((line) => (line as string[])[0])).toEqual([
      ...['second_factor.enrolled', 'recovery_codes.replaced'],
      ...['second_factor.refused', 'second_factor.removed'],
    ]);
  });

  it.each([
    ['a program has none', { role: undefined }],
    ['nor has a person of another issuer', { user_id: 'https://idp.example|7' }],
  ])('are for people who sign in here: %s', async (_who, changed) => {
    const [pod] = pods;
    const token = await pod.tokenOf({ ...(await deployment.addPerson()), ...changed });
    const passkeys = '/api/auth/mfa/passkeys';

    for (const path of [
      ...[TOTP, `${TOTP}/confirm`, VERIFY],
      ...[`${passkeys}/registration`, `${passkeys}/proof`],
    ]) {
      const answer = await pod.post(token, path, { code: '123456' });
      expect([answer.status, answer.body['code']]).toEqual([403, 'person_required']);
    }
  });

  it('gives a token that says what was proved, and opens what demands it', async () => {
    const { person, token, secret } = await enrol();
    const [pod] = pods;
    const proved = await pod.post(token, VERIFY, { code: codeOf(secret) });
    const stepUp = String(proved.body['access_token']);

    expect(proved.body).toMatchObject({ token_type: 'Bearer', expires_in: 300 });
    expect(claimsOf(stepUp)).toMatchObject({
      ...{ iss: ISSUER, sub: person.user_id, tenant: 'acme', role: 'member', aud: 'gateway' },
      ...{ client_id: 'ui', scope: 'sessions:read', acr: 'urn:soma:acr:two-factors' },
      amr: ['fed', 'otp', 'mfa'],
    });
    expect(Number(claimsOf(stepUp)['exp']) - Number(claimsOf(stepUp)['iat'])).toBe(300);
    expect((await pod.ask(stepUp, TOTP, { method: 'DELETE' })).status).toBe(204);
  });

  it('is demanded before an API key is made, rotated or revoked, also with its account', async () => {
    const [pod] = pods;
    const owner = await deployment.addPerson('owner');
    const key = { name: 'Ticket bot', scopes: ['sessions:read'] };
    const scope = 'api_keys:write members:write sessions:read';
    const one = await pod.tokenOf(owner, { scope });

    const id = randomUUID();
    for (const [method, path, body] of [
      ['POST', '/v1/api-keys', key],
      ['POST', `/v1/api-keys/${id}/rotate`, {}],
      ['DELETE', `/v1/api-keys/${id}`, undefined],
      ['DELETE', `/v1/members/service-accounts/${id}`, undefined],
    ] as const) {
      const refused = await pod.ask(one, path, { method, body });
      expect([refused.status, refused.body['code']]).toEqual([401, 'step_up_required']);
      expect(refused.headers.get('www-authenticate')).toContain('urn:soma:acr:two-factors');
    }
    expect((await pod.post(await pod.tokenOf(owner, PROVED), '/v1/api-keys', key)).status).toBe(
      201,
    );
  });

  it('stores no secret and no recovery code in the clear (P8)', async () => {
    const { secret, recoveryCodes } = await enrol();
    const tables = ['totp_factors', 'recovery_codes'].map((table) =>
      deployment.database.execute(`SELECT * FROM identity.${table}`),
    );
    const logs = deployment.database.execute(`SELECT * FROM audit.audit_log`);
    const stored = JSON.stringify(await Promise.all([...tables, logs]));

    for (const each of [secret, ...recoveryCodes]) {
      expect(stored).not.toContain(each);
      expect(stored).not.toContain(each.replaceAll('-', ''));
    }
  });
});
