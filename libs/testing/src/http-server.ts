import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const KEEP_ALIVE_MS = 120_000;

/** A server on this machine. Disposing of it ends its open connections too. */
export interface HttpServer extends AsyncDisposable {
  server: Server;
  /** Without a path. */
  url: string;
  [Symbol.asyncDispose]: () => Promise<void>;
}

/** Starts a server of HTTP, on a free port unless one is named. */
export async function startHttpServer(listener?: RequestListener, port = 0): Promise<HttpServer> {
  // A machine that froze would close connections that clients are about to send on again.
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, listener);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
