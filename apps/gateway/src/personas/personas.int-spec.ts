import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { persona } from '@soma/contracts';
import {
  createGatewayServers,
  startGateway,
  type TestAnswer,
  type TestGateway,
} from '../spec-support.ts';

const PERSONAS = '/v1/personas';

describe('/v1/personas', () => {
  const running = new AsyncDisposableStack();
  let gateway: TestGateway;

  beforeAll(async () => {
    const servers = await createGatewayServers(running);
    gateway = running.use(await startGateway(servers, { OPENAI_API_KEY: 'sk-canary' }));
  });

  afterAll(() => running.disposeAsync());

  function patch(id: string, body: unknown, tenant = 'acme'): Promise<TestAnswer> {
    return gateway.post(`${PERSONAS}/${id}`, body, { method: 'PATCH', tenant });
  }

  it('stores a persona, changes what is named, and deletes it', async () => {
    const created = await gateway.post(PERSONAS, {
      ...{ persona_id: 'helpdesk', name: 'Help desk', instructions: 'Be brief.' },
      ...{ model: 'openai/gpt-4o', temperature: 0.5 },
    });
    const changed = await patch('helpdesk', { name: 'Desk', temperature: null });
    const found = await gateway.get(`${PERSONAS}/helpdesk`);
    const removed = await gateway.send(`${PERSONAS}/helpdesk`, { method: 'DELETE' });

    expect([created.status, changed.status, removed.status]).toEqual([201, 200, 204]);
    expect(persona.parse(created.body)).toMatchObject({ name: 'Help desk', temperature: 0.5 });
    expect(persona.parse(found.body)).toMatchObject({
      ...{ persona_id: 'helpdesk', name: 'Desk', instructions: 'Be brief.' },
      ...{ model: 'openai/gpt-4o', temperature: null },
    });
    expect((await gateway.get(`${PERSONAS}/helpdesk`)).body['code']).toBe('persona_not_found');
  });

  it('is created once, however often the request is repeated with its key (P3)', async () => {
    const headers = { 'idempotency-key': 'persona-1' };
    const request = { name: 'Once' };
    const create = (body: unknown): Promise<TestAnswer> =>
      gateway.post(PERSONAS, body, { headers, tenant: 'once' });

    const answers = await Promise.all(Array.from({ length: 8 }, () => create(request)));
    const other = await create({ name: 'Twice' });

    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(201));
    expect(new Set(answers.map(({ body }) => body['persona_id'])).size).toBe(1);
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
    const { body } = await gateway.get(PERSONAS, { tenant: 'once' });
    expect(body['personas']).toEqual([answers[0]?.body]);
  });

  it('leaves the key of a request that was refused free', async () => {
    const headers = { 'idempotency-key': 'persona-2' };
    const taken = { persona_id: 'taken', name: 'Taken' };
    await gateway.post(PERSONAS, taken);

    const refused = await gateway.post(PERSONAS, taken, { headers });
    await gateway.send(`${PERSONAS}/taken`, { method: 'DELETE' });
    const created = await gateway.post(PERSONAS, taken, { headers });

    expect([refused.status, created.status]).toEqual([409, 201]);
  });

  it('belongs to its tenant alone (P6)', async () => {
    await gateway.post(PERSONAS, { persona_id: 'private', name: 'Ours' });

    const theirs = { persona_id: 'private', name: 'Theirs' };
    const answers = [
      await gateway.get(`${PERSONAS}/private`, { tenant: 'globex' }),
      await patch('private', { name: 'Theirs' }, 'globex'),
      await gateway.post(PERSONAS, theirs, { tenant: 'globex' }),
      await gateway.post(PERSONAS, theirs),
    ];

    expect(answers.map(({ status }) => status)).toEqual([404, 404, 201, 409]);
    expect((await gateway.get(`${PERSONAS}/private`)).body['name']).toBe('Ours');
  });

  it('lists personas page by page', async () => {
    for (const persona_id of ['b', 'a', 'c']) {
      await gateway.post(PERSONAS, { persona_id, name: persona_id }, { tenant: 'lister' });
    }

    const first = await gateway.get(`${PERSONAS}?limit=2`, { tenant: 'lister' });
    const second = await gateway.get(`${PERSONAS}?limit=2&cursor=b`, { tenant: 'lister' });

    expect(first.body).toMatchObject({
      personas: [{ persona_id: 'a' }, { persona_id: 'b' }],
      next_cursor: 'b',
    });
    expect(second.body).toMatchObject({ personas: [{ persona_id: 'c' }], next_cursor: null });
  });

  it.each([
    [{ model: 'openai/gpt-4o', top_k: 5 }, 'model_parameter_not_supported', 'top_k'],
    [{ model: 'anthropic/claude-sonnet-4-5' }, 'model_not_available', 'model'],
    [{ model: 'nonsense' }, 'model_not_available', 'model'],
  ])('refuses what its model does not take: %j', async (settings, code, path) => {
    const answer = await gateway.post(PERSONAS, { name: 'Picky', ...settings });

    expect(answer).toMatchObject({ status: 422, body: { code, fields: [{ path }] } });
  });

  it('checks a change together with what stays', async () => {
    await gateway.post(PERSONAS, { persona_id: 'free', name: 'Free', top_k: 5 });

    const answer = await patch('free', { model: 'openai/gpt-4o' });

    expect(answer).toMatchObject({ status: 422, body: { fields: [{ path: 'top_k' }] } });
    expect((await gateway.get(`${PERSONAS}/free`)).body['model']).toBeNull();
  });
});
