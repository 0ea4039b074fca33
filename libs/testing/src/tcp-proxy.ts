import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { pipeline, Transform } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';

/** A way to a server that can be cut and slowed. */
export interface TcpProxy extends AsyncDisposable {
  port: number;
  /** Breaks every connection and refuses new ones. */
  cut: () => void;
  restore: () => void;
  /** Each piece is held back this long, both ways; 0 for no delay. */
  delay: (ms: number) => void;
}

/** Starts a proxy on a free port for the server on `targetPort`. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  let delayMs = 0;

  const slow = (): Transform =>
    new Transform({
      transform(piece, _encoding, done) {
        void wait(delayMs).then(() => {
          done(null, piece);
        });
      },
    });
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
  };
  const server = createServer((client) => {
    track(client);
    if (isCut) return void client.resetAndDestroy();
    const target = connect(targetPort, '127.0.0.1');
    track(target);
    // Each side's fault ends the other: `pipeline` destroys both.
    pipeline(client, slow(), target, slow(), client, () => undefined);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    restore: () => {
      isCut = false;
    },
    delay: (ms) => {
      delayMs = ms;
    },
    [Symbol.asyncDispose]: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
