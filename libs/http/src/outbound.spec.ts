import { type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { All, Controller, Module, Req, Res } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Secret, TransientError } from '@soma/kernel';
import { freePort, startHttpServer, type HttpServer } from '@soma/testing';
import { withLogContext } from '@soma/observability';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { StreamsBody } from './body/json-body.ts';
import { createService } from './create-service.ts';
import { internalFetch } from './internal-fetch.ts';
import { proxyRequest } from './proxy-request.ts';

let target: URL;

/** Where the upstream lets us wait, so that the tests need not. */
const IMPATIENT = new Set(['/silent', '/first-piece']);

@Controller()
class ProxyController {
  @All('proxy/*')
  @StreamsBody()
  proxy(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const headers = { authorization: 'Bearer upstream-key' };
    const path = request.url.replace('/proxy', '');
    return proxyRequest(request, reply, {
      target: new URL(path, target),
      upstream: 'capsule registry',
      timeoutMs: IMPATIENT.has(path) ? 100 : 20_000,
      headers,
    });
  }
}

@Module({ controllers: [ProxyController] })
class ProxyModule {}

/** The far side: it shows what it was sent, or misbehaves as its path asks. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://upstream');
  if (pathname === '/silent') {
    return;
  }
  if (pathname === '/busy') {
    response.writeHead(503, { 'retry-after': '3' }).end();
  } else if (pathname === '/bundle') {
    const headers = { 'content-encoding': 'gzip', digest: 'sha-256=abc', signature: 'sig1=:x:' };
    response.writeHead(206, { ...headers, connection: 'x-hop', 'x-hop': '1' });
    response.end(gzipSync('bundle'));
  } else if (pathname === '/first-piece') {
    response.write('first');
  } else {
    const body = await buffer(request);
    response.writeHead(pathname === '/missing' ? 404 : 200, { 'content-type': 'application/json' });
    const { method, url, headers } = request;
    response.end(JSON.stringify({ method, url, headers, size: body.length }));
  }
}

let upstream: HttpServer;

beforeAll(async () => {
  upstream = await startHttpServer((request, response) => void answer(request, response));
  target = new URL(upstream.url);
});

afterAll(() => upstream[Symbol.asyncDispose]());

describe('proxyRequest', () => {
  let service: NestFastifyApplication;
  let base: string;

  beforeAll(async () => {
    service = await createService(ProxyModule);
    await service.listen(0, '127.0.0.1');
    base = await service.getUrl();
  });

  afterAll(() => service.close());

  it('passes method, path, query, body and status on', async () => {
    const response = await fetch(`${base}/proxy/missing?a=%2F`, {
      method: 'POST',
      body: Buffer.alloc(2_000_000),
      headers: { 'content-type': 'application/gzip', 'x-request-id': 'r-1' },
    });

    expect(response.status).toBe(404);
    expect(response.headers.get('x-api-version')).toBe('v1');
    expect(await response.json()).toMatchObject({
      method: 'POST',
      url: '/missing?a=%2F',
      size: 2_000_000,
      headers: { 'content-type': 'application/gzip', 'x-request-id': 'r-1' },
    });
  });

  it("keeps the caller's credentials to itself", async () => {
    const response = await fetch(`${base}/proxy/echo`, {
      headers: { authorization: 'Bearer hunter2', cookie: 'hunter2' },
    });

    const text = await response.text();
    expect(text).toContain('Bearer upstream-key');
    expect(text).not.toContain('hunter2');
  });

  it('leaves bytes, digests and signatures alone and drops what concerns one connection', async () => {
    const response = await fetch(`${base}/proxy/bundle`);

    expect(response.status).toBe(206);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-encoding': 'gzip',
      digest: 'sha-256=abc',
      signature: 'sig1=:x:',
    });
    expect(response.headers.has('x-hop')).toBe(false);
    expect(await response.text()).toBe('bundle');
  });

  it('hands each piece on as it comes, and ends with an upstream that stalls', async () => {
    const response = await fetch(`${base}/proxy/first-piece`);
    const reader = response.body?.getReader();

    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('first');
    await expect(reader?.read()).rejects.toThrow();
  });

  it('answers 504 for an upstream that is late and 502 for one that is not there', async () => {
    const late = await fetch(`${base}/proxy/silent`);
    expect(late.status).toBe(504);
    expect(await late.json()).toMatchObject({ code: 'upstream_timeout' });

    const present = target;
    target = new URL(`http://127.0.0.1:${await freePort()}`);
    const gone = await fetch(`${base}/proxy/echo`);
    target = present;
    expect(gone.status).toBe(502);
    expect(await gone.json()).toMatchObject({ code: 'upstream_unreachable' });
  });
});

describe('internalFetch', () => {
  const token = () => Promise.resolve(new Secret('service-token'));

  it('sends our token, the request id and JSON', async () => {
    const response = await withLogContext({ request_id: 'r-7' }, () =>
      internalFetch(new URL('/echo', target), { method: 'POST', body: { a: 1 }, token }),
    );

    expect(await response.json()).toMatchObject({
      size: 7,
      headers: {
        authorization: 'Bearer service-token',
        'content-type': 'application/json',
        'x-request-id': 'r-7',
      },
    });
  });

  it('leaves what the other service refuses to the caller', async () => {
    expect((await internalFetch(new URL('/missing', target), { token })).status).toBe(404);
  });

  it('says that trying again may help, and when', async () => {
    const busy = internalFetch(new URL('/busy', target), { token });
    await expect(busy).rejects.toMatchObject({ name: 'TransientError', retryAfterMs: 3000 });

    const silent = internalFetch(new URL('/silent', target), { token, timeoutMs: 50 });
    await expect(silent).rejects.toThrow(TransientError);
  });

  it('stops when its caller does', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    const request = internalFetch(new URL('/echo', target), { token, signal });

    await expect(request).rejects.toThrow('enough');
  });
});
