import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { freePort, startHttpServer } from '@soma/testing';
import {
  createGatewayServers,
  type GatewayServers,
  startGateway,
  type TestGateway,
} from '../spec-support.ts';

const BUNDLE = Buffer.alloc(3 * 1024 * 1024, 'capsule');
const DIGEST = `sha-256=:${createHash('sha256').update(BUNDLE).digest('base64')}:`;
const SIGNED = { 'repr-digest': DIGEST, 'signature-input': 'sig1=("x")', signature: 'sig1=:AA==:' };

/** The far side: a capsule registry, whose ids say how it behaves. */
class Registry {
  readonly requests: IncomingMessage[] = [];
  /** The answer that was begun and waits to be ended. */
  open: ServerResponse | undefined;

  async answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(incoming);
    const { pathname } = new URL(incoming.url ?? '/', 'http://registry');
    switch (pathname) {
      case '/base/capsules/bundle':
        response.writeHead(200, { 'content-type': 'application/gzip', ...SIGNED }).end(BUNDLE);
        return;
      case '/base/capsules/slow':
        response.writeHead(200).write('first');
        this.open = response;
        return;
      case '/base/capsules/silent':
        return;
      case '/base/capsules/crm/install':
        response.writeHead(201, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ received: (await buffer(incoming)).length }));
        return;
      default:
        response.writeHead(418, { 'content-type': 'application/json' }).end('{"teapot":true}');
    }
  }
}

describe('/v1/capsules', () => {
  const running = new AsyncDisposableStack();
  const registry = new Registry();
  let servers: GatewayServers;
  let gateway: TestGateway;

  beforeAll(async () => {
    const { url } = running.use(
      await startHttpServer((incoming, response) => void registry.answer(incoming, response)),
    );
    servers = await createGatewayServers(running);
    gateway = await startWith(`${url}/base/`);
  });

  afterAll(() => running.disposeAsync());

  async function startWith(url: string): Promise<TestGateway> {
    return running.use(await startGateway(servers, { CAPSULE_REGISTRY_URL: url }));
  }

  it.each(['/v1/capsules/bundle', '/capsules/bundle'])(
    'passes a bundle on byte by byte, with digest and signature: %s',
    async (path) => {
      const response = await gateway.send(path);

      expect(response.status).toBe(200);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        ...SIGNED,
        'content-type': 'application/gzip',
        'x-api-version': 'v1',
      });
      expect(Buffer.from(await response.arrayBuffer()).equals(BUNDLE)).toBe(true);
    },
  );

  it('passes the first bytes on before the last have come', async () => {
    const response = await gateway.send('/v1/capsules/slow');
    const reader = response.body?.getReader();

    const first = await reader?.read();
    registry.open?.end('last');
    const last = await reader?.read();

    expect([first, last].map((piece) => String(Buffer.from(piece?.value ?? [])))).toEqual([
      ...['first', 'last'],
    ]);
  });

  it('passes status, query and body on, and keeps the credential', async () => {
    const unusual = await gateway.get('/v1/capsules?tag=a%2Fb');
    const installed = await gateway.send('/v1/capsules/crm/install', {
      method: 'POST',
      body: 'x'.repeat(2_000_000),
      headers: { 'content-type': 'application/gzip' },
    });

    expect(unusual).toMatchObject({ status: 418, body: { teapot: true } });
    expect([installed.status, await installed.json()]).toEqual([201, { received: 2_000_000 }]);
    const [listing] = registry.requests.filter(({ url }) => url?.startsWith('/base/capsules?'));
    expect(listing?.url).toBe('/base/capsules?tag=a%2Fb');
    expect(registry.requests.map(({ headers }) => headers.authorization)).not.toContainEqual(
      expect.anything(),
    );
  });

  it.each(['/v1/capsules/..', '/v1/capsules/%2e%2e/install', '/v1/capsules/a%2F..%2Fb'])(
    "does not leave the registry's folder: %s",
    async (path) => {
      const token = await servers.issuer.tokenFor('acme', 'gateway');
      const before = registry.requests.length;
      // Unlike fetch, this sends the path as it is.
      const sent = request(gateway.url, { path, headers: { authorization: `Bearer ${token}` } });
      const [response] = (await once(sent.end(), 'response')) as [IncomingMessage];

      expect([400, 404]).toContain(response.resume().statusCode);
      expect(registry.requests).toHaveLength(before);
    },
  );

  it('answers 502 when the registry cannot be reached', async () => {
    const unreachable = await startWith(`http://127.0.0.1:${await freePort()}`);

    const answer = await unreachable.get('/v1/capsules');

    expect(answer).toMatchObject({ status: 502, body: { code: 'upstream_unreachable' } });
    expect(JSON.stringify(answer.body)).not.toContain('127.0.0.1');
  });

  it('answers 504 when the registry is silent for 30 seconds', async () => {
    const { setTimeout } = globalThis;
    // Only the wait of 30 seconds is cut short. No other one has this length.
    const shortened = jest
      .spyOn(globalThis, 'setTimeout')
      .mockImplementation((act, ms) => setTimeout(act, ms === 30_000 ? 50 : ms));

    const answer = await gateway.get('/v1/capsules/silent');

    shortened.mockRestore();
    expect(answer).toMatchObject({ status: 504, body: { code: 'upstream_timeout' } });
  });

  it('answers 503 where no registry is configured, and 401 without a credential', async () => {
    const without = running.use(await startGateway(servers));

    expect(await without.get('/v1/capsules')).toMatchObject({
      status: 503,
      body: { code: 'capsules_not_configured' },
    });
    expect((await fetch(`${gateway.url}/v1/capsules`)).status).toBe(401);
    expect((await fetch(`${gateway.url}/capsules`)).status).toBe(401);
  });
});
