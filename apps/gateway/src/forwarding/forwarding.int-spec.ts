import { once } from 'node:events';
import { request as openRequest, type RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startHttpServer } from '@soma/testing';
import {
  createGatewayServers,
  startGateway,
  type TestAnswer,
  type TestGateway,
  toAnswer,
} from '../spec-support.ts';

/** The far side: it says what it was sent. */
const answer: RequestListener = (request, response) => {
  void text(request).then((body) => {
    const { method, url, headers } = request;
    response.writeHead(url?.startsWith('/oauth') === true ? 200 : 201, {
      'content-type': 'application/json',
      'set-cookie': 'soma=1',
    });
    response.end(JSON.stringify({ method, url, headers, body }));
  });
};

describe('what other apps serve', () => {
  const running = new AsyncDisposableStack();
  let gateway: TestGateway;

  beforeAll(async () => {
    const { url } = running.use(await startHttpServer(answer));
    const servers = await createGatewayServers(running);
    gateway = running.use(
      await startGateway(servers, { CONNECTION_CATALOG_URL: url, IDENTITY_URL: url }),
    );
  });

  afterAll(() => running.disposeAsync());

  /** Sends the path as it stands: `fetch` would tidy it up. */
  async function sendRaw(path: string): Promise<TestAnswer> {
    const { hostname, port } = new URL(gateway.url);
    const sent = openRequest({ host: hostname, port, path }).end();
    const [answer] = (await once(sent, 'response')) as [
      NodeJS.ReadableStream & { statusCode: number },
    ];
    return toAnswer(new Response(await text(answer), { status: answer.statusCode }));
  }

  it("hands a client's own credential and form to the token endpoint", async () => {
    const authorization = `Basic ${btoa('agent-7:secret')}`;

    const response = await fetch(`${gateway.url}/oauth/token?a=%2F`, {
      method: 'POST',
      headers: { authorization, cookie: 'soma=1', 'x-request-id': 'r-1' },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });

    expect(response.status).toBe(200);
    expect(response.headers.get('x-api-version')).toBe('v1');
    expect(response.headers.get('set-cookie')).toBe('soma=1');
    expect(await response.json()).toMatchObject({
      method: 'POST',
      url: '/oauth/token?a=%2F',
      body: 'grant_type=client_credentials',
      headers: {
        authorization,
        cookie: 'soma=1',
        'x-request-id': 'r-1',
        'content-type': expect.stringContaining('application/x-www-form-urlencoded'),
      },
    });
  });

  it.each([
    '/api/v1/connections/7',
    '/.well-known/jwks.json',
    '/v1/api-keys',
    '/v1/members/7',
    '/api/auth/sign-in',
  ])('passes %s on, whoever asks', async (path) => {
    const answer = await toAnswer(await fetch(gateway.url + path));

    expect(answer.body).toMatchObject({ method: 'GET', url: path });
  });

  it('answers 404, as for any unknown route, for an app that is not installed', async () => {
    const unknown = await gateway.get('/v1/unknown');

    for (const path of ['/v1/tools', '/api/v1/webhooks/7', '/api/v1/triggers']) {
      const answer = await gateway.get(path);
      expect(answer.status).toBe(404);
      expect(answer.body['code']).toBe(unknown.body['code']);
    }
  });

  it.each(['/oauth/../metrics', '/oauth/%2e%2e/metrics', '//127.0.0.1/oauth/token', '/oauthx'])(
    'reaches nothing behind the prefixes by %s',
    async (path) => {
      expect((await sendRaw(path)).status).toBe(404);
    },
  );
});
