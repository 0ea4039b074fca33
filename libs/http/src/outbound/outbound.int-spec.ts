import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DnsServer, ownCertificate, startDnsServer } from '@soma/testing';
import { Outbound, type OutboundRequest } from './outbound.ts';

const ALLOWED = '127.0.0.1';
/** Where an attacker wants to be. */
const FORBIDDEN = '127.0.0.2';

/** What names stand for, by how often one has asked. */
const NAMES: Record<string, (times: number) => string[]> = {
  'good.test': () => [ALLOWED],
  'evil.test': () => [FORBIDDEN],
  'both.test': () => [ALLOWED, FORBIDDEN],
  'mixed.test': () => [ALLOWED, '8.8.8.8'],
  'rebinding.test': (times) => [times === 1 ? ALLOWED : FORBIDDEN],
  'other.test': () => [ALLOWED],
  'public.test': () => ['8.8.8.8'],
  'xn--bcher-kva.test': () => [ALLOWED],
};

type Behaviour = (response: ServerResponse, query: URLSearchParams) => void;

/** What the far side does instead of showing what it was sent. */
const BEHAVIOUR: Record<string, Behaviour> = {
  '/to': (response, query) => {
    const location = query.get('url') ?? '';
    response.writeHead(Number(query.get('status') ?? 302), { location }).end('moved');
  },
  '/bomb': (response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(5_000_000)));
  },
  '/drip': (response) => void response.write('one'),
  '/silent': () => undefined,
};

describe('Outbound', () => {
  const running = new AsyncDisposableStack();
  let dns: DnsServer;
  let outbound: Outbound;
  let port: number;
  const reached: string[] = [];

  /** Shows what it was sent, or does what its path says. */
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '/', headers, socket } = request;
    reached.push(`${socket.localAddress ?? ''} ${method} ${url}`);
    const { pathname, searchParams } = new URL(url, 'http://here');
    const body = await text(request);
    const behave = BEHAVIOUR[pathname];
    if (behave === undefined) {
      response.setHeader('set-cookie', ['a=1', 'b=2']);
      response.end(JSON.stringify({ method, headers, body }));
    } else {
      behave(response, searchParams);
    }
  }

  async function listen(address: string, atPort: number): Promise<Server> {
    const server = createServer((request, response) => void answer(request, response));
    running.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server.listen(atPort, address), 'listening');
    return server;
  }

  beforeAll(async () => {
    const server = await listen(ALLOWED, 0);
    port = (server.address() as AddressInfo).port;
    await listen(FORBIDDEN, port);
    dns = running.use(await startDnsServer((name, times) => NAMES[name]?.(times) ?? []));
    const resolver = new Resolver({ timeout: 1_000, tries: 2 });
    resolver.setServers([dns.address]);
    outbound = new Outbound({ allowedHosts: [ALLOWED], dns: resolver });
    running.defer(() => outbound.close());
  });

  afterAll(() => running.disposeAsync());

  function fetchFrom(host: string, path = '/', request?: OutboundRequest): Promise<Response> {
    return outbound.fetch(`http://${host}:${port}${path}`, request);
  }

  function redirected(to: string, request?: OutboundRequest, status = 302): Promise<Response> {
    const url = encodeURIComponent(to);
    return fetchFrom('good.test', `/to?status=${status}&url=${url}`, request);
  }

  it('reaches what it may, as fetch does', async () => {
    const body = new URLSearchParams({ a: '1' });
    const response = await fetchFrom('good.test', '/', { method: 'POST', body });

    expect(await response.json()).toMatchObject({
      ...{ method: 'POST', body: 'a=1' },
      headers: { host: `good.test:${port}` },
    });
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect((await fetchFrom('bücher.test')).status).toBe(200);
  });

  it('exchanges one request for an answer that is read whole', async () => {
    const url = `http://good.test:${port}/path?q=1`;
    const headers = { 'content-type': 'text/plain' };
    const answer = await outbound.exchange(url, { method: 'post', headers, body: 'a=1' });
    const elsewhere = encodeURIComponent(`http://good.test:${port}/`);
    const moved = await outbound.exchange(`http://good.test:${port}/to?url=${elsewhere}`);

    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({
      ...{ method: 'POST', body: 'a=1' },
      headers: { ...headers, 'accept-encoding': 'identity', host: `good.test:${port}` },
    });
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect([moved.status, moved.body]).toEqual([302, 'moved']);
  });

  it.each([
    ['http://evil.test', {}, { code: 'outbound_address_refused' }],
    [`http://${FORBIDDEN}`, {}, { code: 'outbound_address_refused' }],
    ['http://public.test', {}, { code: 'outbound_url_refused' }],
    ['http://user:password@good.test', {}, { code: 'outbound_url_refused' }],
    ['http://good.test/bomb', { maxBytes: 1_000 }, { code: 'upstream_answer_too_large' }],
    ['http://good.test/drip', { timeoutMs: 200 }, { name: 'TransientError' }],
    ['http://good.test/silent', { timeoutMs: 200 }, { name: 'TransientError' }],
    ['http://unknown.test', {}, { name: 'TransientError' }],
  ])('exchanges nothing with %s %j', async (address, limits, error) => {
    const url = new URL(address);
    url.port = String(port);

    await expect(outbound.exchange(url, limits)).rejects.toMatchObject(error);
  });

  it('looks a name up once, and never connects to what it is afterwards', async () => {
    const first = await fetchFrom('rebinding.test', '/rebinding');
    await first.text();
    const questions = dns.questions.filter((question) => question === 'A rebinding.test');
    // It keeps that connection; a new way out needs a new one.
    const resolver = new Resolver();
    resolver.setServers([dns.address]);
    await using later = new Later(new Outbound({ allowedHosts: [ALLOWED], dns: resolver }));
    const second = later.outbound.fetch(`http://rebinding.test:${port}/rebinding`);

    await expect(second).rejects.toMatchObject({ code: 'outbound_address_refused' });
    expect(questions).toHaveLength(1);
    expect(reached.filter((line) => line.includes('rebinding'))).toEqual([
      `${ALLOWED} GET /rebinding`,
    ]);
  });

  it.each([
    ...['evil.test', 'both.test', 'mixed.test', FORBIDDEN, '127.2', '0x7f.2', '2130706434'],
    ...['0177.0.0.2', '127.0.0.2.', '[::1]', '[::ffff:127.0.0.2]', '[::7f00:2]', '①②⑦.0.0.2'],
    ...['[64:ff9b::7f00:2]', '169.254.169.254', '0', '[::]'],
  ])('does not reach %s', async (host) => {
    const before = reached.length;

    await expect(fetchFrom(host)).rejects.toMatchObject({
      status: 422,
      code: 'outbound_address_refused',
    });
    expect(reached).toHaveLength(before);
  });

  it('has another word for a name that is not known', async () => {
    await expect(fetchFrom('unknown.test')).rejects.toMatchObject({ name: 'TransientError' });
  });

  it.each([
    `http://good.test@${FORBIDDEN}/`,
    'http://user:password@good.test/',
    'ftp://good.test/',
    'file:///etc/passwd',
    'data:text/plain,hello',
    'gopher://good.test',
    '//good.test',
    'http://public.test/',
    'http://8.8.8.8/',
    'http://',
  ])('does not use %s', async (url) => {
    await expect(outbound.fetch(url)).rejects.toMatchObject({
      status: 422,
      code: 'outbound_url_refused',
    });
  });

  it.each([
    [`http://${FORBIDDEN}/`, 'outbound_address_refused'],
    ['http://evil.test/', 'outbound_address_refused'],
    ['http://[::ffff:7f00:2]/', 'outbound_address_refused'],
    [`http://good.test@evil.test/`, 'outbound_url_refused'],
    ['file:///etc/passwd', 'outbound_url_refused'],
    ['http://8.8.8.8/', 'outbound_url_refused'],
    ['http://[', 'outbound_redirect_refused'],
  ])('does not follow a redirect to %s', async (to, code) => {
    await expect(redirected(to)).rejects.toMatchObject({ status: 422, code });
  });

  it('gives up on redirects without end', async () => {
    const before = reached.length;
    await expect(redirected('')).rejects.toMatchObject({ code: 'outbound_redirect_refused' });

    expect(reached.length - before).toBe(6);
  });

  it('takes credentials to nobody else', async () => {
    const headers = {
      authorization: 'Bearer hunter2',
      'x-api-key': 'hunter2',
      accept: 'text/plain',
    };

    const same = await (await redirected('/', { headers })).text();
    const other = await (await redirected(`http://other.test:${port}/`, { headers })).text();

    expect(same).toContain('hunter2');
    expect(other).not.toContain('hunter2');
    expect(other).toContain('text/plain');
  });

  it('takes a body to nobody else, and along where the redirect says so', async () => {
    const request = { method: 'POST', body: 'hunter2' };
    const elsewhere = `http://other.test:${port}/`;

    const refused = redirected(elsewhere, request, 307);
    await expect(refused).rejects.toMatchObject({ code: 'outbound_redirect_refused' });
    const seen = await Promise.all(
      [307, 303, 302].map(async (status) => (await redirected('/', request, status)).json()),
    );
    expect(seen).toMatchObject([
      { method: 'POST', body: 'hunter2' },
      { method: 'GET', body: '' },
      { method: 'GET', body: '' },
    ]);
  });

  it('leaves redirects to who wants them', async () => {
    const answered = await redirected('http://evil.test/', { redirect: 'manual' });
    expect([answered.status, answered.headers.get('location')]).toEqual([302, 'http://evil.test/']);

    const refused = redirected('/', { redirect: 'error' });
    await expect(refused).rejects.toMatchObject({ code: 'outbound_redirect_refused' });
  });

  it('reads no more than it shall, also of what was packed', async () => {
    const response = await fetchFrom('good.test', '/bomb', { maxBytes: 100_000 });

    await expect(response.text()).rejects.toMatchObject({ code: 'upstream_answer_too_large' });
  });

  it('waits no longer than it shall, for the answer and for its end', async () => {
    const silent = fetchFrom('good.test', '/silent', { timeoutMs: 50 });
    await expect(silent).rejects.toMatchObject({ name: 'TransientError' });

    const dripping = await fetchFrom('good.test', '/drip', { timeoutMs: 300 });
    await expect(dripping.text()).rejects.toThrow();
  });

  it('says nothing of what was sent when it fails, not even the path (P8)', async () => {
    const failed = outbound.fetch('http://good.test:1/bothunter2/getMe?key=hunter2', {
      headers: { authorization: 'Bearer hunter2' },
    });
    const error: unknown = await failed.catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ name: 'TransientError' });
    expect(inspect(error, { depth: 10 })).not.toContain('hunter2');
  });

  it('stops when its caller does', async () => {
    const signal = AbortSignal.abort(new Error('enough'));

    await expect(fetchFrom('good.test', '/', { signal })).rejects.toThrow('enough');
  });

  it('trusts who can prove the name that was asked for, and nobody else', async () => {
    const { certificate, ...key } = await ownCertificate('good.test');
    const server = createTlsServer(key, (_request, response) => response.end('proven'));
    running.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server.listen(0, ALLOWED), 'listening');
    const { port: tlsPort } = server.address() as AddressInfo;
    const untrusted = outbound.fetch(`https://good.test:${tlsPort}/`);
    await expect(untrusted).rejects.toMatchObject({ name: 'TransientError' });

    const before = getCACertificates();
    setDefaultCACertificates([...before, certificate]);
    running.defer(() => {
      setDefaultCACertificates(before);
    });

    // The connection goes to an address, and the certificate is of the name.
    const proven = await outbound.fetch(`https://good.test:${tlsPort}/`);
    expect(await proven.text()).toBe('proven');
    const other = outbound.fetch(`https://other.test:${tlsPort}/`);
    await expect(other).rejects.toMatchObject({ name: 'TransientError' });
    await expect(other.catch((error: unknown) => inspect(error, { depth: 10 }))).resolves.toContain(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
  });

  it('says where to connect to without HTTP', async () => {
    const pinned = await outbound.resolveSafely('good.test');
    expect(pinned).toEqual({ address: ALLOWED, servername: 'good.test', isInternal: true });

    const refused = outbound.resolveSafely('evil.test');
    await expect(refused).rejects.toMatchObject({ code: 'outbound_address_refused' });
  });

  it('lets a name that the operator allows be what the machine knows it as', async () => {
    const allowing = new Outbound({ allowedHosts: ['localhost'] });
    await using way = new Later(allowing);
    const response = await way.outbound.fetch(`http://localhost:${port}/`);

    expect(response.status).toBe(200);
  });
});

/** A way out that ends with its block. */
class Later implements AsyncDisposable {
  constructor(readonly outbound: Outbound) {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.outbound.close();
  }
}
