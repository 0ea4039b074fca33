import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, startTraceCollector, type TraceCollector, until } from '@soma/testing';
import { Client } from './client.ts';
import { expectNowhere } from './sinks.ts';
import { type Pod, startSystem, type System } from './system.ts';

const canary = (name: string): string => `canary-${name}-${randomUUID()}`;

describe('a system with connections', () => {
  const running = new AsyncDisposableStack();
  const secrets = {
    modelKey: canary('model'),
    newModelKey: canary('rotated'),
    githubToken: canary('github'),
    webhookSecret: canary('webhook'),
    masterKey: randomBytes(32).toString('base64'),
    clientSecret: canary('client'),
  };
  let collector: TraceCollector;
  let system: System;
  let gateway: Pod;
  let client: Client;

  beforeAll(async () => {
    collector = running.use(await startTraceCollector());
    system = await startSystem(running, {
      catalog: { settings: { SOMA_MASTER_KEY: secrets.masterKey } },
      environment: {
        // The operator's own key leads nowhere: what is answered, a tenant's own did.
        OPENAI_BASE_URL: `http://127.0.0.1:${await freePort()}`,
        OPENAI_CONNECTION_NAME: 'models',
        SERVICE_CLIENT_SECRET: secrets.clientSecret,
        OUTBOUND_ALLOWED_HOSTS: '127.0.0.1',
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        LOG_LEVEL: 'trace',
      },
    });
    [gateway] = system.gateways as [Pod];
    client = new Client(await system.tokenFor());
  }, 120_000);

  afterAll(() => running.disposeAsync());

  async function send(method: string, path: string, body?: object): Promise<Response> {
    return client.request(gateway, `/api/v1/connections${path}`, {
      method,
      ...(body && { body: JSON.stringify(body) }),
    });
  }

  /** A turn that ends with an answer, or with an error. */
  async function answerTo(message: string): Promise<unknown> {
    const sessionId = randomUUID();
    await client.say([gateway], message, sessionId);
    return (await client.ended(gateway, sessionId)).at(-1);
  }

  it('answers by the key that the tenant has connected, and shows it nowhere (P8)', async () => {
    const fields = { base_url: system.models.url, api_key: secrets.modelKey };
    const made = await send('POST', '', { name: 'models', type: 'openai', fields });
    expect(made.status).toBe(201);
    const github = { token: secrets.githubToken, webhook_secret: secrets.webhookSecret };
    const others = [
      await send('POST', '', { name: 'git', type: 'github', fields: github }),
      await send('POST', '', { name: 'git', type: 'github', fields: github }),
      await send('POST', '', { name: 'bad', type: 'github', fields: { ...github, more: 1 } }),
      await send('GET', ''),
      await send('GET', '/git'),
    ];
    expect(others.map(({ status }) => status)).toEqual([201, 409, 400, 200, 200]);

    expect(await answerTo('hello')).toMatchObject({ type: 'assistant.final' });
    // The provider repeats the key in its refusal.
    const refused = await answerTo('!script [{"status":401}]');
    expect(refused).toMatchObject({ type: 'assistant.error' });
    const patched = await send('PATCH', '/models', { fields: { api_key: secrets.newModelKey } });
    expect(patched.status).toBe(200);
    expect(await answerTo('hello again')).toMatchObject({ type: 'assistant.final' });
    const unknown = await send('GET', '/git/secrets/none');
    expect(unknown.status).toBe(404);

    const answers = await Promise.all(
      [made, ...others, patched, unknown].map((each) => each.text()),
    );
    // What is told of changes is on its way.
    await until(async () => {
      const [row] = await system.query<{ waiting: number }>(
        'SELECT count(*)::int AS waiting FROM catalog.config_updates WHERE published_at IS NULL',
      );
      return row?.waiting === 0;
    });
    const { headers } = client;
    await expectNowhere(system, {
      ...{ headers, collector, secrets, answers: new Map([['answers', answers.join('\n')]]) },
      seen: ['connection.created', 'acme:models', 'connection-catalog'],
    });
  }, 120_000);
});
