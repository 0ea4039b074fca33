import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { START } from '@soma/contracts';
import { WebSocket, WebSocketServer } from 'ws';
import { SocketSubscriber } from './socket-subscriber.ts';

describe('SocketSubscriber', () => {
  let server: WebSocketServer;
  let client: WebSocket;
  let socket: WebSocket;
  let subscriber: SocketSubscriber;
  let isClosed: boolean;

  beforeEach(async () => {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const connected = once(server, 'connection') as Promise<[WebSocket]>;
    const { port } = server.address() as AddressInfo;
    client = new WebSocket(`ws://127.0.0.1:${port}`, { autoPong: false });
    await once(client, 'open');
    [socket] = await connected;
    isClosed = false;
    socket.on('close', () => (isClosed = true));
    const start = { tenantId: 'acme', sessionId: 's-1', position: START };
    subscriber = new SocketSubscriber(start, socket, 1024);
  });

  afterEach(async () => {
    client.terminate();
    server.close();
    await once(server, 'close');
  });

  async function beat(): Promise<void> {
    const heard = once(client, 'ping');
    subscriber.beat();
    await heard;
  }

  it('keeps a client that answers its pings', async () => {
    client.on('ping', () => {
      client.pong();
    });
    for (let count = 0; count < 5; count += 1) {
      const answered = once(socket, 'pong');
      await beat();
      await answered;
    }

    expect(isClosed).toBe(false);
  });

  it('lets go of a client that has answered none of two pings', async () => {
    await beat();
    await beat();
    expect(isClosed).toBe(false);

    const closed = once(client, 'close');
    subscriber.beat();
    await closed;
  });
});
