import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@soma/testing';
import { builtInTypes } from '../connection-types/registry.ts';
import { ResolveConnection } from './resolve-connection.ts';
import {
  type CatalogServers,
  createCatalogServers,
  startCatalog,
  type TestCatalog,
} from '../spec-support.ts';

const LIMIT = 20;
const PATH = '/api/v1/connections';

describe('connections', () => {
  const running = new AsyncDisposableStack();
  let servers: CatalogServers;
  let catalog: TestCatalog;
  let other: TestCatalog;

  beforeAll(async () => {
    servers = await createCatalogServers(running);
    const settings = { INTEGRATIONS_CONNECTIONS_MAX_CONNECTIONS_PER_TYPE: String(LIMIT) };
    const pods = [startCatalog(servers, settings), startCatalog(servers, settings)] as const;
    [catalog, other] = await Promise.all(pods);
    running.use(catalog);
    running.use(other);
  });

  afterAll(() => running.disposeAsync());

  /** A tenant of a test alone, so that limits and lists are its own. */
  const newTenant = (): { tenant: string } => ({ tenant: `t-${randomUUID()}` });

  const create = (
    as: { tenant: string },
    body: object = {},
    headers: Record<string, string> = {},
  ): ReturnType<TestCatalog['send']> =>
    catalog.send('POST', PATH, { as, headers, body: { ...GITHUB, ...body } });

  const rowsOf = (tenant: string): Promise<Record<string, unknown>[]> =>
    servers.database.execute('SELECT * FROM catalog.connections WHERE tenant_id = $1', [tenant]);

  const fieldsOf = (body: Record<string, unknown>): unknown[] =>
    (body['fields'] as { path: string }[]).map(({ path }) => path);

  it('shows which credentials are set and since when, and never their values (P8)', async () => {
    const as = newTenant();
    const created = await create(as);
    const found = await catalog.send('GET', `${PATH}/our-github`, { as });
    const listed = await catalog.send('GET', PATH, { as });

    expect(created).toMatchObject({ status: 201, body: { name: 'our-github', version: 1 } });
    expect(created.headers.get('etag')).toBe('"1"');
    expect(found).toMatchObject({
      status: 200,
      body: {
        type: 'github',
        fields: { api_url: 'https://api.github.com' },
        credentials: {
          token: { is_set: true, changed_at: expect.any(String) },
          webhook_secret: { is_set: false, changed_at: null },
        },
        usages: [],
      },
    });
    expect(JSON.stringify([created, found, listed])).not.toContain(TOKEN);
    const [kept] = await servers.database.execute(
      `SELECT json_agg(secrets)::text AS rows FROM catalog.secrets`,
    );
    expect(String(kept?.['rows'])).not.toContain(TOKEN);
  });

  it('keeps the same names of two tenants apart (P6)', async () => {
    const [acme, globex] = [newTenant(), newTenant()];
    await create(acme, { fields: { token: TOKEN, api_url: 'https://acme.example/api' } });
    const created = await create(globex);

    expect(created.status).toBe(201);
    await catalog.send('DELETE', `${PATH}/our-github`, { as: acme });
    expect(await catalog.send('GET', `${PATH}/our-github`, { as: globex })).toMatchObject({
      status: 200,
      body: { fields: { api_url: 'https://api.github.com' } },
    });
    expect(await catalog.send('GET', `${PATH}/our-github`, { as: acme })).toMatchObject({
      status: 404,
      body: { code: 'connection_not_found' },
    });
  });

  it.each<[string, object, string[]]>([
    ['a name with capitals', { name: 'Our' }, ['name']],
    ['a name of 129 characters', { name: 'a'.repeat(129) }, ['name']],
    ['the name of the list of types', { name: 'types' }, ['name']],
    ['a type that there is not', { type: 'fax' }, ['type']],
    ['an unknown key', { owner: 'me' }, ['owner']],
    ['an unknown field', { fields: { token: 'x', tokn: 'y' } }, ['fields.tokn']],
    ['an unknown field without a value', { fields: { token: 'x', tokn: null } }, ['fields.tokn']],
    ['what every object has', { fields: { token: 'x', toString: 'y' } }, ['fields.toString']],
    ['a value that is too long', { fields: { token: 'x'.repeat(8193) } }, ['fields.token']],
    [
      'a URL that is too long',
      { fields: { api_url: `https://a.example/${'x'.repeat(2048)}` } },
      ['fields.api_url'],
    ],
    ['what is no URL', { fields: { api_url: 'nowhere' } }, ['fields.api_url']],
    ['a URL with a password', { fields: { api_url: 'https://a:b@c.example' } }, ['fields.api_url']],
    ['a secret that is no text', { fields: { token: 7 } }, ['fields.token']],
    ['a missing secret', { type: 'anthropic', fields: {} }, ['fields.api_key']],
    [
      'fields that do not go together',
      { type: 'webhook', fields: { verifier: 'meta', webhook_secret: 's', signing_secret: 't' } },
      ['fields.verify_token', 'fields.signing_secret'],
    ],
  ])('refuses %s, and names the field', async (_what, change, fields) => {
    const as = newTenant();
    const answer = await create(as, change);

    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(fieldsOf(answer.body).sort()).toEqual(fields.sort());
    expect(await rowsOf(as.tenant)).toEqual([]);
  });

  it('refuses a name that is taken, whoever comes first', async () => {
    const as = newTenant();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        (index % 2 ? catalog : other).send('POST', PATH, { as, body: GITHUB }),
      ),
    );

    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(
      answers.filter(
        ({ status, body }) => status === 409 && body['code'] === 'connection_name_taken',
      ),
    ).toHaveLength(7);
  });

  it('takes exactly as many of a type as the limit says, of 200 at once on two pods', async () => {
    const as = newTenant();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        // A slow machine may answer that the database is busy: a client tries again.
        until(async () => {
          const body = { ...GITHUB, name: `n-${index}` };
          const answer = await (index % 2 ? catalog : other).send('POST', PATH, { as, body });
          return answer.status === 503 ? undefined : answer;
        }),
      ),
    );
    const refused = answers.filter(({ body }) => body['code'] === 'connection_limit_reached');

    expect(answers.filter(({ status }) => status === 201)).toHaveLength(LIMIT);
    expect(refused).toHaveLength(200 - LIMIT);
    expect(await rowsOf(as.tenant)).toHaveLength(LIMIT);
    // Of another type there is room.
    expect(
      (await create(as, { name: 'x', type: 'slack', fields: { token: 'xoxb-1' } })).status,
    ).toBe(201);
  });

  it('answers a repeat with the first answer, and refuses one with another body', async () => {
    const as = newTenant();
    const key = { 'Idempotency-Key': 'once' };
    const [first, second] = await Promise.all([create(as, {}, key), create(as, {}, key)]);
    const changed = await create(as, { fields: { token: 'another' } }, key);

    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
    expect(changed).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
  });

  it('tells absent from null, and exchanges one credential alone', async () => {
    const as = newTenant();
    const fields = { token: TOKEN, webhook_secret: 'w', api_url: 'https://ghe.example/api' };
    const { body: created } = await create(as, { fields, rate_limit_rpm: 30 });
    const patch = (body: object): ReturnType<TestCatalog['send']> =>
      catalog.send('PATCH', `${PATH}/our-github`, { as, body });

    const rotated = await patch({ fields: { token: 'new' } });
    expect(rotated).toMatchObject({
      status: 200,
      body: { version: 2, rate_limit_rpm: 30, fields: { api_url: 'https://ghe.example/api' } },
    });
    const [before, after] = [created, rotated.body].map(
      ({ credentials }) => credentials as Record<string, { changed_at: string }>,
    );
    expect(after?.['webhook_secret']).toEqual(before?.['webhook_secret']);
    expect(after?.['token']).not.toEqual(before?.['token']);

    const removed = await patch({
      fields: { token: 'newer', webhook_secret: null, api_url: null },
      rate_limit_rpm: null,
    });
    expect(removed).toMatchObject({
      status: 200,
      body: {
        rate_limit_rpm: null,
        fields: { api_url: 'https://api.github.com' },
        credentials: { token: { is_set: true }, webhook_secret: { is_set: false } },
      },
    });
  });

  it('has credentials given again that a change would send somewhere else', async () => {
    const as = newTenant();
    const fields = { token: TOKEN, webhook_secret: 'w', api_url: 'https://ghe.example/api' };
    await create(as, { fields });
    const patch = (fields: object): ReturnType<TestCatalog['send']> =>
      catalog.send('PATCH', `${PATH}/our-github`, { as, body: { fields } });
    const elsewhere = { api_url: 'https://evil.example/api' };

    for (const change of [elsewhere, { ...elsewhere, webhook_secret: 'x' }, { api_url: null }]) {
      const answer = await patch(change);
      expect(answer).toMatchObject({ status: 422, body: { code: 'credentials_needed_again' } });
      expect(fieldsOf(answer.body)).toEqual(['fields.token']);
    }
    expect(await rowsOf(as.tenant)).toMatchObject([{ fields: { api_url: fields.api_url } }]);
    // What webhooks are verified with goes nowhere.
    expect(await patch({ ...elsewhere, token: 'new' })).toMatchObject({ status: 200 });
    // It is there already.
    expect(await patch(elsewhere)).toMatchObject({ status: 200 });
    expect(await patch({ api_url: null, token: null })).toMatchObject({
      status: 200,
      body: {
        fields: { api_url: 'https://api.github.com' },
        credentials: { token: { is_set: false }, webhook_secret: { is_set: true } },
      },
    });
  });

  it('refuses to remove a credential that the type needs', async () => {
    const as = newTenant();
    await create(as, { type: 'anthropic', fields: { api_key: 'k' } });
    const answer = await catalog.send('PATCH', `${PATH}/our-github`, {
      as,
      body: { fields: { api_key: null } },
    });

    expect(answer.status).toBe(400);
    expect(fieldsOf(answer.body)).toEqual(['fields.api_key']);
  });

  it('changes only the version that the caller has seen', async () => {
    const as = newTenant();
    await create(as);
    const change = (version: number): ReturnType<TestCatalog['send']> =>
      catalog.send('PATCH', `${PATH}/our-github`, {
        as,
        headers: { 'If-Match': `"${version}"` },
        body: { rate_limit_rpm: 10 },
      });
    const answers = await Promise.all([change(1), change(1), change(1)]);
    const stale = await catalog.send('DELETE', `${PATH}/our-github`, {
      as,
      headers: { 'If-Match': '"1"' },
    });

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
    expect(stale).toMatchObject({ status: 412, body: { code: 'version_mismatch' } });
  });

  it('lists by name, page after page, by type and by part of a name', async () => {
    const as = newTenant();
    for (const name of ['b-two', 'a-one', 'c-three']) {
      await create(as, { name });
    }
    await create(as, { name: 'mail', type: 'smtp', fields: { host: 'mail.example' } });
    const namesOf = async (query: string): Promise<unknown> => {
      const { body } = await catalog.send('GET', `${PATH}?${query}`, { as });
      const names = (body['connections'] as { name: string }[]).map(({ name }) => name);
      return [names, body['next_cursor']];
    };

    expect(await namesOf('limit=2')).toEqual([['a-one', 'b-two'], 'b-two']);
    expect(await namesOf('limit=2&cursor=b-two')).toEqual([['c-three', 'mail'], null]);
    expect(await namesOf('type=smtp')).toEqual([['mail'], null]);
    expect(await namesOf('text=GitH')).toEqual([['a-one', 'b-two', 'c-three'], null]);
    expect(await namesOf('text=thr')).toEqual([['c-three'], null]);
    // What means something in a pattern means itself.
    expect(await namesOf('text=%25')).toEqual([[], null]);
  });

  it('exchanges and leases credentials while the master key is exchanged (P1)', async () => {
    const as = newTenant();
    const old = String(servers.settings['SOMA_MASTER_KEY']);
    const next = randomBytes(32).toString('base64');
    const keys = (current: string, other: string): Record<string, string> => ({
      ...{ SOMA_MASTER_KEY: current, SOMA_MASTER_KEY_OTHERS: other },
    });
    // Pods of before and after the change of the key run side by side.
    await using before = await startCatalog(servers, keys(old, next));
    await using after = await startCatalog(servers, keys(next, old));
    const worker = { tenant_id: as.tenant, subject: 'worker' };
    const leased = async ({ service }: TestCatalog, name: string): Promise<unknown> => {
      const resolve = service.get(ResolveConnection, { strict: false });
      return (await resolve.execute(worker, { name, purpose: 'tool' })).credentials['token'];
    };
    let isOver = false;
    const use = async (name: string, [writer, reader]: [TestCatalog, TestCatalog]) => {
      await create(as, { name });
      const seen: unknown[] = [];
      while (!isOver) {
        const token = `${name}-${seen.length}`;
        const body = { fields: { token } };
        const { status } = await writer.send('PATCH', `${PATH}/${name}`, { as, body });
        seen.push([status, (await leased(reader, name)) === token]);
      }
      return seen;
    };
    const using = Promise.all([
      use('by-old', [before, after]),
      use('by-new', [after, before]),
    ]).finally(() => (isOver = true));

    const url = String(servers.settings['DATABASE_URL']);
    const rotate = (): Promise<string[]> => runSecrets({ DATABASE_URL: url, ...keys(next, old) });
    const first = await rotate();
    isOver = true;
    const seen = (await using).flat();
    const second = await rotate();

    expect(JSON.parse(first[0] ?? '')).toEqual({ wrapped: expect.any(Number) });
    expect(new Set(seen.map((each) => JSON.stringify(each)))).toEqual(new Set(['[200,true]']));
    // What the pods of before have sealed meanwhile is under the new key now too.
    expect(second.slice(1).map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        master_key_id: expect.any(String),
        state: 'seals',
        secrets: expect.any(Number),
        unreadable: 0,
      },
    ]);
    await using alone = await startCatalog(servers, { SOMA_MASTER_KEY: next });
    expect(await leased(alone, 'by-old')).toMatch(/^by-old-\d+$/);
  });

  it('describes every type, and marks its secrets', async () => {
    const { status, body } = await catalog.send('GET', `${PATH}/types`);
    const types = body['types'] as { type: string; schema: Record<string, unknown> }[];

    expect(status).toBe(200);
    const names = types.map(({ type }) => type);
    expect(names).toEqual(names.toSorted());
    expect(names).toEqual(expect.arrayContaining(builtInTypes.map(({ name }) => name)));
    expect(types.find(({ type }) => type === 'slack')?.schema).toMatchObject({
      type: 'object',
      additionalProperties: false,
      properties: {
        token: { type: 'string', maxLength: 8192, writeOnly: true },
        signing_secret: { writeOnly: true },
      },
    });
  });
});

/** The lines that `npm run secrets -- rotate` prints. */
async function runSecrets(env: Record<string, string>): Promise<string[]> {
  const tool = join(import.meta.dirname, '../../../../tools/secrets/src/main.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [tool, 'rotate'], {
    env: { PATH: process.env['PATH'], ...env },
  });
  return stdout.trim().split('\n');
}

const TOKEN = `github_pat_${randomUUID()}`;
const GITHUB = { name: 'our-github', type: 'github', fields: { token: TOKEN } };
