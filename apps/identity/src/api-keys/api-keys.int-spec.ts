import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { apiKey, type ConfigUpdate, createdApiKey, type CreatedApiKey } from '@soma/contracts';
import { until } from '@soma/testing';
import {
  createIdentityServers,
  type IdentityServers,
  startIdentity,
  type TestAnswer,
  type TestCaller,
  type TestIdentity,
  listenToUpdates,
} from '../spec-support.ts';

const KEYS = '/v1/api-keys';
const operator = (tenant: string): TestCaller => ({
  tenant,
  subject: 'operator',
  scopes: ['api_keys:read', 'api_keys:write', 'sessions:read', 'sessions:write'],
});

/** Pods behind a proxy, which take five bad credentials from an address. */
function withLimit(servers: IdentityServers): IdentityServers {
  const RATE_LIMIT_BAD_CREDENTIALS_PER_MINUTE = '5';
  const settings = { TRUSTED_PROXIES: '127.0.0.1', RATE_LIMIT_BAD_CREDENTIALS_PER_MINUTE };
  return { ...servers, settings: { ...servers.settings, ...settings } };
}

describe('/v1/api-keys', () => {
  const running = new AsyncDisposableStack();
  let heard: ConfigUpdate[];
  let servers: IdentityServers;
  let pod: TestIdentity;
  let otherPod: TestIdentity;

  beforeAll(async () => {
    const clients = ['acme', 'globex'].map((tenant_id) => ({
      client_id: `client-of-${tenant_id}`,
      tenant_id,
      scopes: [],
    }));
    servers = await createIdentityServers(running, clients);
    pod = await startIdentity(servers, running);
    otherPod = await startIdentity(servers, running);
    heard = await listenToUpdates(servers, running);
  });
  afterAll(() => running.disposeAsync());

  async function create(body: object = {}, tenant = 'acme'): Promise<CreatedApiKey> {
    const request = { name: 'Ticket bot', scopes: ['sessions:read'], ...body };
    const answer = await pod.send('POST', KEYS, { as: operator(tenant), body: request });
    expect([answer.status, answer.body]).toEqual([201, expect.anything()]);
    return createdApiKey.parse(answer.body);
  }

  function exchange(
    { key_id, key }: Pick<CreatedApiKey, 'key_id' | 'key'>,
    {
      at = pod,
      path = '/oauth/token',
      parameters = {},
      from = '127.0.0.1',
    }: { at?: TestIdentity; path?: string; parameters?: object; from?: string } = {},
  ): Promise<TestAnswer> {
    return at.send('POST', path, {
      body: new URLSearchParams({ grant_type: 'client_credentials', ...parameters }).toString(),
      headers: {
        authorization: `Basic ${btoa(`${key_id}:${key}`)}`,
        'content-type': 'application/x-www-form-urlencoded',
        'x-forwarded-for': from,
      },
    });
  }

  function claimsOf({ body }: TestAnswer): Record<string, unknown> {
    const [, claims = ''] = String(body['access_token']).split('.');
    return JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
  }

  it('makes a key that is exchanged for a token of its service account', async () => {
    const key = await create({ scopes: ['sessions:read', 'sessions:write'] });

    const token = await exchange(key);

    expect(key.key).toMatch(new RegExp(`^sk_${key.key_id}_[A-Za-z0-9_-]{43}$`));
    expect(token.status).toBe(200);
    expect(token.body).toMatchObject({ token_type: 'Bearer', expires_in: 900 });
    expect(claimsOf(token)).toMatchObject({
      sub: key.service_account_id,
      tenant: 'acme',
      aud: 'gateway',
      scope: 'sessions:read sessions:write',
      api_key_id: key.key_id,
    });
  });

  it('gives a token that identity itself takes, for what the key is good for', async () => {
    const key = await create({ scopes: ['api_keys:read'] });
    const { body } = await exchange(key);
    const headers = { authorization: `Bearer ${String(body['access_token'])}` };

    const read = await pod.send('GET', KEYS, { headers });
    const write = await pod.send('POST', KEYS, { headers, body: { name: 'x', scopes: ['a'] } });

    expect([read.status, write.status]).toEqual([200, 403]);
  });

  it('shows a key once, and keeps nothing that it could be made from (P8)', async () => {
    const key = await create();
    const secret = key.key.slice(-43);
    const found = await pod.send('GET', `${KEYS}/${key.key_id}`, { as: operator('acme') });
    const stored = await servers.database.execute(
      `SELECT row_to_json(k)::text FROM identity.api_keys AS k
       UNION ALL SELECT row_to_json(i)::text FROM identity.idempotency_keys AS i
       UNION ALL SELECT row_to_json(a)::text FROM audit.audit_log AS a`,
    );

    expect(found.status).toBe(200);
    expect(JSON.stringify(found.body)).not.toContain(secret);
    expect(JSON.stringify(stored)).not.toContain(secret);
  });

  it('asks nobody about the keys of an address that has sent too many bad ones', async () => {
    const limited = await startIdentity(withLimit(servers), running);
    const key = await create();
    const bad = { ...key, key: `${key.key}x` };
    const unknown = { ...key, key_id: '0198c6a1-0000-7000-8000-000000000000' };
    const ask = async (credential: typeof bad, path: string, from: string) => {
      const parameters = { token: 'x' };
      return exchange(credential, { at: limited, path, parameters, from });
    };

    const refused = [];
    for (const path of ['/oauth/token', '/oauth/introspect', '/oauth/revoke']) {
      refused.push(await ask(bad, path, '192.0.2.1'), await ask(unknown, path, '192.0.2.1'));
    }
    // From there they are not even looked at; from elsewhere nothing has changed.
    const shut = [];
    for (const path of ['/oauth/token', '/oauth/introspect', '/oauth/revoke']) {
      shut.push(await ask(key, path, '192.0.2.1'));
    }
    const good = await ask(key, '/oauth/token', '192.0.2.2');

    expect(refused.map(({ status }) => status)).toEqual(Array(6).fill(401));
    expect(shut.map(({ status }) => status)).toEqual([429, 429, 429]);
    expect(shut[0]?.body).toMatchObject({ code: 'rate_limited' });
    expect(Number(shut[0]?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(good.status).toBe(200);
  });

  it('refuses a key that is wrong in any part, all alike', async () => {
    const key = await create();
    const other = await create();
    const altered = key.key.slice(0, -1) + (key.key.endsWith('A') ? 'B' : 'A');
    const wrong = [
      { ...key, key: altered },
      { ...key, key: other.key },
      { ...key, key: 'sk_' },
      { key_id: other.key_id, key: key.key },
      { key_id: '0198c6a1-0000-7000-8000-000000000000', key: key.key },
      { key_id: 'nobody', key: key.key },
    ];

    const answers = await Promise.all(wrong.map((each) => exchange(each)));

    for (const { status, body } of answers) {
      expect([status, body['error']]).toEqual([401, 'invalid_client']);
    }
  });

  it('gives no more scopes than the key has, and none beyond the creator’s', async () => {
    const key = await create({ scopes: ['sessions:read'] });
    const token = await exchange(key, { parameters: { scope: 'sessions:read members:write' } });
    const beyond = await pod.send('POST', KEYS, {
      as: operator('acme'),
      body: { name: 'Too much', scopes: ['sessions:read', 'members:write'] },
    });

    expect(claimsOf(token)['scope']).toBe('sessions:read');
    expect(beyond).toMatchObject({ status: 403, body: { code: 'scope_exceeds_own' } });
  });

  it('belongs to its tenant alone (P6)', async () => {
    const key = await create();
    const path = `${KEYS}/${key.key_id}`;
    const as = operator('globex');

    const answers = [
      await pod.send('GET', path, { as }),
      await pod.send('DELETE', path, { as }),
      await pod.send('POST', `${path}/rotate`, { as, body: {} }),
      await pod.send('POST', KEYS, {
        as,
        body: {
          name: 'Theirs',
          scopes: ['sessions:read'],
          service_account_id: key.service_account_id,
        },
      }),
    ];
    const { body } = await pod.send('GET', KEYS, { as });

    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
    expect(JSON.stringify(body)).not.toContain(key.key_id);
    expect((await exchange(key)).status).toBe(200);
  });

  it('is void at every pod as soon as it is revoked, and told everywhere within a second', async () => {
    const key = await create({ scopes: ['api_keys:read'] });
    const { body } = await exchange(key, { at: otherPod });
    const headers = { authorization: `Bearer ${String(body['access_token'])}` };
    expect((await otherPod.send('GET', KEYS, { headers })).status).toBe(200);

    const started = performance.now();
    const path = `${KEYS}/${key.key_id}`;
    const revoked = await pod.send('DELETE', path, { as: operator('acme') });
    const refused = await exchange(key, { at: otherPod });
    const update = await until(() =>
      Promise.resolve(heard.find(({ id }) => id === `acme:${key.key_id}`)),
    );
    // The token was verified and remembered there; it is refused all the same.
    await until(async () => {
      const { status } = await otherPod.send('GET', KEYS, { headers });
      return status === 401;
    });

    expect(performance.now() - started).toBeLessThan(1_000);
    expect([revoked.status, refused.status]).toEqual([204, 401]);
    expect(update).toMatchObject({ entity: 'api_key', deleted: true, tenant_id: 'acme' });
    expect((await pod.send('DELETE', path, { as: operator('acme') })).status).toBe(204);
  });

  it('is replaced by a key of the same rights, both good for the overlap', async () => {
    const key = await create({ scopes: ['sessions:read'] });
    const rotated = await pod.send('POST', `${KEYS}/${key.key_id}/rotate`, {
      as: operator('acme'),
      body: { overlap_seconds: 2 },
    });
    const next = createdApiKey.parse(rotated.body);

    expect(rotated.status).toBe(201);
    expect(next).toMatchObject({
      rotated_from: key.key_id,
      service_account_id: key.service_account_id,
      scopes: ['sessions:read'],
      expires_at: null,
    });
    const [old, fresh] = [await exchange(key), await exchange(next)];
    expect([old.status, fresh.status]).toEqual([200, 200]);
    expect(old.body['expires_in']).toBeLessThanOrEqual(2);
    expect(fresh.body['expires_in']).toBe(900);

    await until(async () => (await exchange(key)).status === 401);
    const told = await until(() =>
      Promise.resolve(heard.find(({ id }) => id === `acme:${key.key_id}`)),
    );
    // Of tokens that were issued until the end, and not only until the rotation.
    expect(Date.parse(told.occurred_at)).toBeGreaterThan(Date.parse(next.created_at) + 1_000);
    expect((await exchange(next)).status).toBe(200);
    const lines = await servers.database.execute(
      `SELECT action FROM audit.audit_log WHERE target_id = ANY ($1) AND action LIKE 'api_key.%'
        ORDER BY seq`,
      [[key.key_id, next.key_id]],
    );
    expect(lines.map(({ action }) => action)).toEqual(['api_key.created', 'api_key.rotated']);
  });

  it('is replaced without overlap where nobody may use the old one any more', async () => {
    const key = await create();
    const rotate = (): Promise<TestAnswer> =>
      pod.send('POST', `${KEYS}/${key.key_id}/rotate`, {
        as: operator('acme'),
        body: { overlap_seconds: 0 },
      });
    const next = createdApiKey.parse((await rotate()).body);

    expect((await exchange(key)).status).toBe(401);
    expect((await exchange(next)).status).toBe(200);
    expect(await rotate()).toMatchObject({ status: 409, body: { code: 'api_key_ended' } });
  });

  it('is not replaced by somebody whose credential is good for less', async () => {
    const key = await create({ scopes: ['sessions:write'] });

    const answer = await pod.send('POST', `${KEYS}/${key.key_id}/rotate`, {
      as: { tenant: 'acme', scopes: ['api_keys:write', 'sessions:read'] },
      body: {},
    });

    expect(answer).toMatchObject({ status: 403, body: { code: 'scope_exceeds_own' } });
    expect((await exchange(key)).status).toBe(200);
  });

  it('gives no token that outlives it', async () => {
    const key = await create({ expires_at: new Date(Date.now() + 60_000).toISOString() });

    const token = await exchange(key);

    expect(token.body['expires_in']).toBeLessThanOrEqual(60);
    const past = await pod.send('POST', KEYS, {
      as: operator('acme'),
      body: {
        name: 'Late',
        scopes: ['sessions:read'],
        expires_at: new Date(Date.now() - 1).toISOString(),
      },
    });
    expect(past).toMatchObject({ status: 422, body: { code: 'expiry_passed' } });
  });

  it('notes when a key was last used', async () => {
    const key = await create();
    expect(key.last_used_at).toBeNull();
    await exchange(key);

    const used = await until(async () => {
      const path = `${KEYS}/${key.key_id}`;
      const { body } = await pod.send('GET', path, { as: operator('acme') });
      return apiKey.parse(body).last_used_at ?? undefined;
    });

    expect(used).toMatch(/:00\.000Z$/);
  });

  it('makes one key of a request that is repeated, and answers it again', async () => {
    const send = (body: object): Promise<TestAnswer> =>
      pod.send('POST', KEYS, {
        as: operator('acme'),
        body: { name: 'Once', scopes: ['sessions:read'], ...body },
        headers: { 'idempotency-key': 'once' },
      });

    const answers = await Promise.all([send({}), send({}), send({})]);
    const other = await send({ name: 'Other' });

    expect(new Set(answers.map(({ body }) => body['key'])).size).toBe(1);
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
  });

  it('lists keys page by page', async () => {
    const tenant = 'globex';
    for (const name of ['one', 'two', 'three']) await create({ name }, tenant);

    const first = await pod.send('GET', `${KEYS}?limit=2`, { as: operator(tenant) });
    const cursor = String(first.body['next_cursor']);
    const second = await pod.send('GET', `${KEYS}?limit=2&cursor=${cursor}`, {
      as: operator(tenant),
    });

    expect(first.body['api_keys']).toMatchObject([{ name: 'one' }, { name: 'two' }]);
    expect(second.body).toMatchObject({ api_keys: [{ name: 'three' }], next_cursor: null });
  });

  it.each([
    [{ scopes: [] }, 'scopes'],
    [{ scopes: ['everything'] }, 'scopes.0'],
    [{ name: '' }, 'name'],
    [{ expires_at: 'tomorrow' }, 'expires_at'],
    [{ tenant_id: 'globex' }, 'tenant_id'],
  ])('refuses %j', async (fields, path) => {
    const body = { name: 'Key', scopes: ['sessions:read'], ...fields };
    const answer = await pod.send('POST', KEYS, { as: operator('acme'), body });

    expect(answer).toMatchObject({ status: 400, body: { fields: [{ path }] } });
  });

  it('answers 401 without a credential, 403 without the scope, 400 to what is no id', async () => {
    const as = { tenant: 'acme', scopes: ['sessions:read'] };
    const answers = [
      await pod.send('GET', KEYS),
      await pod.send('GET', KEYS, { as }),
      await pod.send('GET', `${KEYS}/nonsense`, { as: operator('acme') }),
    ];

    expect(answers.map(({ status }) => status)).toEqual([401, 403, 400]);
  });

  it('refuses a tenant that nobody has registered', async () => {
    const body = { name: 'Key', scopes: ['sessions:read'] };
    const answer = await pod.send('POST', KEYS, { as: operator('unknown'), body });

    expect(answer).toMatchObject({ status: 404, body: { code: 'tenant_not_found' } });
  });

  it('asks people to prove their second factor before they touch keys', async () => {
    const key = await create();
    const as: TestCaller = { tenant: 'acme', role: 'owner', amr: ['fed'] };
    const body = { name: 'Key', scopes: ['sessions:read'] };
    const answers = [
      await pod.send('POST', KEYS, { as, body }),
      await pod.send('POST', `${KEYS}/${key.key_id}/rotate`, { as, body: {} }),
      await pod.send('DELETE', `${KEYS}/${key.key_id}`, { as }),
    ];

    expect(answers.map(({ status, body: problem }) => [status, problem['code']])).toEqual(
      answers.map(() => [401, 'step_up_required']),
    );
    expect((await pod.send('GET', KEYS, { as })).status).toBe(200);
    const proven = { ...as, amr: ['fed', 'otp', 'mfa'] };
    expect((await pod.send('POST', KEYS, { as: proven, body })).status).toBe(201);
  });

  it('writes every change into the audit log', async () => {
    const key = await create();
    await pod.send('DELETE', `${KEYS}/${key.key_id}`, { as: operator('acme') });
    const lines = await servers.database.execute(
      `SELECT action, actor_subject FROM audit.audit_log WHERE target_id = $1 ORDER BY seq`,
      [key.key_id],
    );

    expect(lines).toEqual([
      { action: 'api_key.created', actor_subject: 'operator' },
      { action: 'api_key.revoked', actor_subject: 'operator' },
    ]);
  });
});
