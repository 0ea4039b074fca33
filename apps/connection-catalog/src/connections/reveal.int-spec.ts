import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AuditEvent } from '@soma/contracts';
import { until } from '@soma/testing';
import {
  type CatalogServers,
  createCatalogServers,
  startCatalog,
  type TestAnswer,
  type TestCaller,
  type TestCatalog,
  listenToAudit,
} from '../spec-support.ts';

const PATH = '/api/v1/connections';
const OWNER: TestCaller = {
  tenant: 'acme',
  subject: 'ann',
  role: 'owner',
  amr: ['pwd', 'otp', 'mfa'],
};

describe('revealing a credential', () => {
  const running = new AsyncDisposableStack();
  let heard: AuditEvent[];
  let servers: CatalogServers;
  let catalog: TestCatalog;

  beforeAll(async () => {
    servers = await createCatalogServers(running);
    catalog = running.use(await startCatalog(servers));
    heard = await listenToAudit(servers, running);
    for (const tenant of ['acme', 'globex']) {
      await catalog.send('POST', PATH, {
        as: { tenant },
        body: { name: 'git', type: 'github', fields: { token: `of ${tenant}` } },
      });
    }
    await catalog.send('POST', PATH, {
      as: { tenant: 'globex' },
      body: { name: 'theirs', type: 'github', fields: { token: 'x' } },
    });
  });

  afterAll(() => running.disposeAsync());

  const reveal = (path: string, as: TestCaller = OWNER): Promise<TestAnswer> =>
    catalog.send('GET', `${PATH}/${path}`, { as });

  it('shows it to who has just proved a second factor, and says so in the audit log', async () => {
    const answer = await reveal('git/secrets/token');

    expect(answer).toMatchObject({ status: 200, body: { field: 'token', value: 'of acme' } });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const line = await until(() =>
      heard.find(({ action }) => action === 'connection.secret_revealed'),
    );
    expect(line).toMatchObject({
      tenant_id: 'acme',
      actor: { subject: 'ann' },
      target: { type: 'connection', id: 'git' },
      outcome: 'success',
      details: { field: 'token' },
    });
    expect(JSON.stringify(heard)).not.toContain('of acme');
  });

  it('asks people for a second factor first', async () => {
    const answer = await reveal('git/secrets/token', { ...OWNER, amr: ['pwd'] });

    expect(answer).toMatchObject({ status: 401, body: { code: 'step_up_required' } });
  });

  it.each<[string, TestCaller]>([
    ['a member', { ...OWNER, role: 'member' }],
    ['a service without the scope', { tenant: 'acme', scopes: ['connections:write'] }],
  ])('is denied to %s', async (_who, as) => {
    expect((await reveal('git/secrets/token', as)).status).toBe(403);
  });

  it('answers each failure alike, in its words and in its time, and has it audited', async () => {
    const { database } = servers;
    const broken = { name: 'broken', type: 'github', fields: { token: 'x' } };
    await catalog.send('POST', PATH, { body: broken });
    await database.execute(
      `UPDATE catalog.secrets SET sealed = 'x' FROM catalog.connections AS its
        WHERE its.connection_id = secrets.connection_id AND its.name = 'broken'`,
    );
    const paths = [
      'broken/secrets/token',
      'none/secrets/token',
      'theirs/secrets/token',
      'git/secrets/webhook_secret',
      'git/secrets/api_url',
      'git/secrets/__proto__',
      'Not%20A%20Name/secrets/token',
    ];
    const answers = await Promise.all(
      paths.map(async (path) => {
        const startedAt = performance.now();
        const { status, body, headers } = await reveal(path);
        const tookMs = performance.now() - startedAt;
        return { status, body, tookMs, cache: headers.get('cache-control') };
      }),
    );

    expect(answers.map(({ status }) => status)).toEqual(paths.map(() => 404));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(answers.map(({ cache }) => cache)).toEqual(paths.map(() => 'no-store'));
    // None comes before the moment at which all do.
    expect(Math.min(...answers.map(({ tookMs }) => tookMs))).toBeGreaterThanOrEqual(1_990);
    const refusals = await until(() => {
      const found = heard.filter(({ outcome }) => outcome === 'failure');
      return found.length === paths.length ? found : undefined;
    });
    expect(new Set(refusals.map(({ action }) => action))).toEqual(
      new Set(['connection.secret_revealed']),
    );
    expect(refusals.map(({ target }) => target.id).sort()).toEqual(
      ['Not A Name', 'broken', 'git', 'git', 'git', 'none', 'theirs'].sort(),
    );
  });

  it('waits no longer for what is there than for what is not', async () => {
    let isHeld = true;
    // As a backend that does not answer.
    const held = servers.database
      .execute('BEGIN; LOCK TABLE catalog.secrets; SELECT pg_sleep(5); COMMIT')
      .then(() => (isHeld = false));
    await until(async () => {
      const locks = await servers.database.execute(
        `SELECT FROM pg_locks WHERE relation = 'catalog.secrets'::regclass
                                AND mode = 'AccessExclusiveLock' AND granted`,
      );
      return locks.length > 0;
    });
    const answer = await reveal('git/secrets/token');

    expect(isHeld).toBe(true);
    expect(answer).toMatchObject({ status: 404, body: { code: 'secret_not_found' } });
    await held;
  });
});
