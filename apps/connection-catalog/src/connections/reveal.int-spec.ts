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

  it('answers each refusal alike, in its words and in its time', async () => {
    const paths = [
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
    expect(Math.min(...answers.map(({ tookMs }) => tookMs))).toBeGreaterThanOrEqual(240);
  });
});
