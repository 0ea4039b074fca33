import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestDatabase } from '@soma/testing';
import { createGatewayServers, startGateway, type TestGateway } from '../spec-support.ts';

const BUCKET = 'soma-files';
const OWN_FILE = `s3://${BUCKET}/tenants/acme/a.pdf`;
const MIB = 1024 * 1024;

/** What is sent, the status that it gets, and the path that the problem names. */
const BODIES: [name: string, body: unknown, expected: { status: number; path?: string }][] = [
  ['no JSON', '{"message": ', { status: 400 }],
  ['no body', '', { status: 400, path: '' }],
  ['an array', [], { status: 400, path: '' }],
  ['null', 'null', { status: 400, path: '' }],
  ['NaN', '{"message": NaN}', { status: 400 }],
  [
    'a number beyond doubles',
    '{"message":"a","metadata":{"n":1e999}}',
    { status: 422, path: 'metadata.n' },
  ],
  ['a comment', '{"message":"a"} // b', { status: 400 }],
  ['a field twice', '{"message":"a","message":"b"}', { status: 422, path: 'message' }],
  [
    'an inner field twice',
    '{"message":"a","metadata":{"x":1,"x":2}}',
    { status: 422, path: 'metadata.x' },
  ],
  ['a wrong type', { message: 7 }, { status: 400, path: 'message' }],
  ['no message', {}, { status: 400, path: 'message' }],
  ['an empty message', { message: '' }, { status: 400, path: 'message' }],
  ['a blank message', { message: ' \n\t ' }, { status: 400, path: 'message' }],
  ['a message too long', { message: 'x'.repeat(100_001) }, { status: 400, path: 'message' }],
  ['a message of 1 MiB', { message: 'x'.repeat(MIB) }, { status: 413 }],
  ['a lone surrogate', '{"message":"a\\ud83d"}', { status: 422, path: 'message' }],
  ['NUL', '{"message":"a\\u0000b"}', { status: 422, path: 'message' }],
  ['NUL in a name', '{"message":"a","metadata":{"\\u0000":1}}', { status: 422 }],
  ['an unknown field', { message: 'a', seq: 7 }, { status: 400, path: 'seq' }],
  [
    'a field of the system',
    { message: 'a', tenant_id: 'acme' },
    { status: 400, path: 'tenant_id' },
  ],
  [
    'a session id with a slash',
    { message: 'a', session_id: 'a/b' },
    { status: 400, path: 'session_id' },
  ],
  [
    'a session id too long',
    { message: 'a', session_id: 'a'.repeat(129) },
    { status: 400, path: 'session_id' },
  ],
  ['an empty session id', { message: 'a', session_id: '' }, { status: 400, path: 'session_id' }],
  [
    'an unknown persona',
    { message: 'a', persona_id: 'nobody' },
    { status: 422, path: 'persona_id' },
  ],
  ['a bad persona id', { message: 'a', persona_id: "'; --" }, { status: 400, path: 'persona_id' }],
  [
    'deep nesting',
    `{"message":"a","metadata":{"x":${'['.repeat(5_000)}${']'.repeat(5_000)}}}`,
    { status: 422 },
  ],
  [
    'another tenant',
    { message: 'a', metadata: { tenant: 'globex' } },
    { status: 403, path: 'metadata.tenant' },
  ],
  [
    'another tenant_id',
    { message: 'a', metadata: { tenant_id: 'globex' } },
    { status: 403, path: 'metadata.tenant_id' },
  ],
  [
    'a stamp of the system',
    { message: 'a', metadata: { action: 'summarize' } },
    { status: 422, path: 'metadata.action' },
  ],
  [
    '10,000 attachments',
    { message: 'a', attachments: Array(10_000).fill(OWN_FILE) },
    { status: 422, path: 'attachments' },
  ],
  [
    '11 attachments',
    { message: 'a', attachments: Array(11).fill(OWN_FILE) },
    { status: 422, path: 'attachments' },
  ],
  [
    "another tenant's file",
    { message: 'a', attachments: [OWN_FILE, `s3://${BUCKET}/tenants/globex/a`] },
    { status: 422, path: 'attachments.1' },
  ],
  [
    'the way up',
    { message: 'a', attachments: [`s3://${BUCKET}/tenants/acme/../globex/a`] },
    { status: 422, path: 'attachments.0' },
  ],
  [
    'an attachment that is no text',
    { message: 'a', attachments: [7] },
    { status: 400, path: 'attachments.0' },
  ],
  [
    'an output schema that is none',
    { message: 'a', output_schema: { type: 'nonsense' } },
    { status: 422, path: 'output_schema.type' },
  ],
  [
    'a large output schema',
    { message: 'a', output_schema: { description: 'x'.repeat(32 * 1024) } },
    { status: 422, path: 'output_schema' },
  ],
];

describe('bad input', () => {
  const running = new AsyncDisposableStack();
  let database: TestDatabase;
  let gateway: TestGateway;
  let gatewayWithoutStorage: TestGateway;

  beforeAll(async () => {
    const servers = await createGatewayServers(running);
    database = servers.database;
    gateway = running.use(await startGateway(servers, { STORAGE_BUCKET: BUCKET }));
    gatewayWithoutStorage = running.use(await startGateway(servers));
  });

  afterAll(() => running.disposeAsync());

  async function storedRows(): Promise<number> {
    const [row] = await database.execute(
      `SELECT (SELECT count(*) FROM conversation.sessions)
            + (SELECT count(*) FROM conversation.session_events)
            + (SELECT count(*) FROM conversation.turns)
            + (SELECT count(*) FROM conversation.idempotency_keys) AS count`,
    );
    return Number(row?.['count']);
  }

  it.each(BODIES)('is refused and stores nothing: %s', async (_name, body, expected) => {
    const before = await storedRows();

    const answer = await gateway.post('/v1/session/message', body, {
      headers: { 'idempotency-key': 'bad-input' },
    });

    expect(answer.status).toBe(expected.status);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({ code: expect.stringMatching(/^[a-z_]+$/) });
    if (expected.path !== undefined) {
      expect(answer.body['fields']).toMatchObject([{ path: expected.path }]);
    }
    expect(await storedRows()).toBe(before);
  });

  it('is refused in another format', async () => {
    const answer = await gateway.post('/v1/session/message', '<message/>', {
      headers: { 'content-type': 'application/xml' },
    });

    expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
  });

  it('cannot reach prototypes', async () => {
    const body = '{"message":"a","session_id":"proto","metadata":{"__proto__":{"polluted":1}}}';
    const inner = await gateway.post('/v1/session/message', body);

    expect(inner.status).toBe(202);
    expect('polluted' in {}).toBe(false);
  });

  it('is refused where there is no storage for attachments', async () => {
    const answer = await gatewayWithoutStorage.post('/v1/session/message', {
      message: 'a',
      attachments: [OWN_FILE],
    });

    expect(answer).toMatchObject({ status: 422, body: { code: 'storage_not_configured' } });
  });

  it.each([
    '/v1/session/a%2Fb',
    '/v1/session/a%00b',
    `/v1/session/${'a'.repeat(129)}`,
    '/v1/session/a/timeline?cursor=x',
    '/v1/session/a/timeline?limit=0',
    '/v1/session/a/timeline?tenant_id=globex',
    '/v1/session?cursor=bm9uZQ',
    '/v1/personas?limit=201',
  ])('is refused in an address: %s', async (path) => {
    await gateway.post('/v1/session/message', {
      session_id: 'a',
      message: 'There is such a session.',
    });

    expect((await gateway.get(path)).status).toBe(400);
  });

  it('needs a credential, and one for this service', async () => {
    const without = await fetch(`${gateway.url}/v1/session/message`, { method: 'POST' });
    const forged = await gateway.get('/v1/session', { headers: { authorization: 'Bearer x.y.z' } });

    expect([without.status, forged.status]).toEqual([401, 401]);
  });
});
