import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Authenticator, authOptions } from '@soma/auth';
import { appServing, modelList } from '@soma/contracts';
import { loadConfig } from '@soma/kernel';
import { gatewayConfig } from './gateway.config.ts';
import { gatewayApi } from './openapi.ts';
import {
  createGatewayServers,
  type GatewayServers,
  startGateway,
  type TestGateway,
} from './spec-support.ts';

interface DescribedBody {
  content?: Record<string, { example?: unknown }>;
}

interface DescribedOperation {
  requestBody?: DescribedBody;
  responses: Record<string, DescribedBody>;
}

describe('the gateway', () => {
  const running = new AsyncDisposableStack();
  let servers: GatewayServers;
  let gateway: TestGateway;

  beforeAll(async () => {
    servers = await createGatewayServers(running);
    gateway = running.use(
      await startGateway(servers, {
        GATEWAY_API_VERSION: 'v7',
        ANTHROPIC_API_KEY: 'sk-canary-4a7d',
      }),
    );
  });

  afterAll(() => running.disposeAsync());

  it.each(['/v1/health', '/health'])(
    'shows its health to anyone, without hosts: %s',
    async (path) => {
      const response = await fetch(`${gateway.url}${path}`);
      const text = await response.text();

      expect(response.status).toBe(200);
      expect(response.headers.get('x-api-version')).toBe('v7');
      expect(JSON.parse(text)).toMatchObject({
        status: 'ok',
        version: '0.0.0',
        dependencies: {
          postgres: { status: 'ok', latency_ms: expect.any(Number) },
          kafka: { status: 'ok' },
          redis: { status: 'ok' },
          identity: { status: 'ok' },
        },
      });
      expect(text).not.toMatch(/127\.0\.0\.1|localhost/);
    },
  );

  it('describes every route of now and none of old', async () => {
    const response = await fetch(`${gateway.url}/v1/openapi.json`);
    const document = (await response.json()) as { openapi: string; paths: Record<string, object> };
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );

    expect(document.openapi).toBe('3.1.0');
    expect(operations).toEqual(
      expect.arrayContaining([
        'POST /v1/session/message',
        'POST /v1/session/action',
        'POST /v1/session/{id}/cancel',
        'GET /v1/session',
        'GET /v1/session/{id}',
        'DELETE /v1/session/{id}',
        'GET /v1/session/{id}/timeline',
        'GET /v1/capsules',
        'GET /v1/capsules/{id}',
        'POST /v1/capsules/{id}/install',
        'GET /v1/personas',
        'POST /v1/personas',
        'GET /v1/personas/{id}',
        'PATCH /v1/personas/{id}',
        'DELETE /v1/personas/{id}',
        'GET /v1/models',
        'GET /v1/health',
        'GET /v1/session/{id}/events',
        'GET /v1/session/{id}/stream',
        'POST /v1/session/{id}/stream-ticket',
        // What other apps serve behind it.
        'POST /oauth/token',
        'GET /.well-known/jwks.json',
      ]),
    );
    const withoutVersion = Object.keys(document.paths).filter((path) => !path.startsWith('/v1/'));
    expect(withoutVersion.filter((path) => appServing(path) === undefined)).toEqual([]);
    expect((await fetch(`${gateway.url}/docs`)).status).toBe(200);
    expect((await fetch(`${gateway.url}/openapi.json`)).status).toBe(200);
  });

  it('shows an example of every body that is sent and answered', async () => {
    const { paths = {} } = await gatewayApi();
    const own = Object.entries(paths).filter(([path]) => appServing(path) === undefined);
    const bodies = own.flatMap(([path, methods]) =>
      Object.entries(methods as Record<string, DescribedOperation>).flatMap(
        ([method, { requestBody, responses }]) => {
          const answers = Object.entries(responses).filter(([status]) => /^[12]/.test(status));
          return [requestBody, ...answers.map(([, answer]) => answer)]
            .flatMap((body) => Object.values(body?.content ?? {}))
            .map((content) => ({ operation: `${method} ${path}`, ...content }));
        },
      ),
    );
    expect(bodies.length).toBeGreaterThan(15);
    expect(bodies.filter(({ example }) => example === undefined)).toEqual([]);
  });

  it('commits its API document: run "npm run generate" when this fails', async () => {
    const file = await readFile(`${import.meta.dirname}/../openapi.json`, 'utf8');
    const served = await fetch(`${gateway.url}/v1/openapi.json`);

    expect(JSON.parse(file)).toEqual(await gatewayApi());
    expect(JSON.parse(file)).toEqual(await served.json());
  });

  it('lists the models, and which of them can be used', async () => {
    const answer = await gateway.get('/v1/models');
    const { models } = modelList.parse(answer.body);
    const providers = models.filter(({ available }) => available).map(({ provider }) => provider);

    expect(new Set(providers)).toEqual(new Set(['anthropic', 'local']));
    expect(models.filter((model) => model.default)).toMatchObject([{ provider: 'anthropic' }]);
    expect(JSON.stringify(answer.body)).not.toContain('sk-canary-4a7d');
  });

  it('takes every caller for the default tenant only where that is allowed (P7)', async () => {
    const open = loadConfig(gatewayConfig, { GATEWAY_REQUIRE_AUTH: 'false' });
    process.env['NODE_ENV'] = 'production';
    expect(() => new Authenticator(authOptions(open, 'gateway'))).toThrow('NODE_ENV=development');
    process.env['NODE_ENV'] = 'development';
    try {
      const gatewayOfAll = running.use(
        await startGateway(servers, { GATEWAY_REQUIRE_AUTH: 'false' }),
      );
      const body = JSON.stringify({
        session_id: 'open',
        message: 'Hi',
        metadata: { tenant: 'acme' },
      });
      const headers = { 'content-type': 'application/json' };

      const answer = await fetch(`${gatewayOfAll.url}/v1/session/message`, {
        method: 'POST',
        body,
        headers,
      });

      expect(answer.status).toBe(202);
      expect((await gateway.get('/v1/session/open')).body['created_by']).toBe('anonymous');
    } finally {
      process.env['NODE_ENV'] = 'development';
    }
  });

  it('reports every setting that cannot work, without its value', () => {
    const environment = { PORT: 'x-canary', OUTBOX_LIMIT: '0', STORAGE_BUCKET: 'A/B' };

    expect(() => loadConfig(gatewayConfig, environment)).toThrow(
      /PORT: [\s\S]*OUTBOX_LIMIT: [\s\S]*STORAGE_BUCKET: /,
    );
    expect(() => loadConfig(gatewayConfig, environment)).not.toThrow(/x-canary/);
  });
});
