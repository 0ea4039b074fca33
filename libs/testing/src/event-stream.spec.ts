import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type EventStream, openEventStream, type StreamEvent } from './event-stream.ts';
import { startTcpProxy } from './tcp-proxy.ts';

const BODY = ': beat\n\nretry: 500\nid: 1.0\nevent: a\ndata: {"é":1}\n\ndata: one\ndata: two\n\n';

describe('openEventStream', () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(BODY);
  });
  const urlOn = (port: number): string => `http://127.0.0.1:${port}/`;
  const port = (): number => (server.address() as AddressInfo).port;

  const eventsOf = async (stream: EventStream): Promise<StreamEvent[]> => {
    const events: StreamEvent[] = [];
    for await (const event of stream) events.push(event);
    return events;
  };

  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterAll(() => {
    server.close();
  });

  it('yields each event with its fields', async () => {
    const stream = await openEventStream(urlOn(port()));
    expect(await eventsOf(stream)).toEqual([
      { id: '1.0', event: 'a', data: '{"é":1}' },
      { id: undefined, event: 'message', data: 'one\ntwo' },
    ]);
    expect(stream.comments).toEqual(['beat']);
    expect(stream.retryMs).toBe(500);
  });

  it('drops the frame in which it is cut', async () => {
    const firstTwo = Buffer.byteLength(BODY.slice(0, BODY.indexOf('data: one')));
    const whole = await openEventStream(urlOn(port()), { cutAfterBytes: firstTwo });
    expect(await eventsOf(whole)).toHaveLength(1);
    const short = await openEventStream(urlOn(port()), { cutAfterBytes: firstTwo - 1 });
    expect(await eventsOf(short)).toEqual([]);
  });

  it('reaches a server through a proxy until that is cut', async () => {
    await using proxy = await startTcpProxy(port());
    expect(await eventsOf(await openEventStream(urlOn(proxy.port)))).toHaveLength(2);
    proxy.cut();
    await expect(openEventStream(urlOn(proxy.port))).rejects.toThrow('fetch failed');
    proxy.restore();
    expect(await eventsOf(await openEventStream(urlOn(proxy.port)))).toHaveLength(2);
  });
});
