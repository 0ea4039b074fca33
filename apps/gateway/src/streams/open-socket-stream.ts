import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { clientIdentifier, streamQuery } from '@soma/contracts';
import { Exchanges, requestIdFrom } from '@soma/http';
import { Problem } from '@soma/kernel';
import type { TraceHeaders } from '@soma/observability';
import { rethrowFault } from '@soma/persistence';
import type { WebSocket } from 'ws';
import { ClientFrames } from './client-frames.ts';
import { SessionCommands } from './session-commands.ts';
import { SessionStreams } from './session-streams.ts';
import { SocketSubscriber } from './socket-subscriber.ts';
import { type Admission, SOCKET_ROUTE, StreamAccess, type StreamRequest } from './stream-access.ts';
import { StreamWatch } from './stream-watch.ts';

/** A client that sends more before its first frames are answered is told 1008. */
const MAX_WAITING_FRAMES = 64;
const UNSUPPORTED_DATA = 1003;
const POLICY_VIOLATION = 1008;

const PATH = /^\/v1\/session\/([^/]+)\/stream$/;

/** Who opens a WebSocket, and whose trace goes on in what comes over it. */
interface SocketAdmission extends Admission {
  trace: TraceHeaders;
}

/** Opens a stream over a WebSocket. */
@Injectable()
export class OpenSocketStream {
  constructor(
    private readonly access: StreamAccess,
    private readonly streams: SessionStreams,
    private readonly watch: StreamWatch,
    private readonly commands: SessionCommands,
    private readonly exchanges: Exchanges,
  ) {}

  /**
   * Decides on a request before its connection becomes a WebSocket.
   *
   * @throws {@link Problem} as {@link StreamAccess.admit}, and 503 `restarting`
   */
  async admit(request: IncomingMessage): Promise<SocketAdmission> {
    this.streams.checkOpen();
    const admission = await this.access.admit(readRequest(request)).catch(rethrowFault);
    const { traceparent, tracestate } = request.headers;
    return { ...admission, trace: { traceparent, tracestate } };
  }

  open(socket: WebSocket, admission: SocketAdmission, maxBufferedBytes: number): void {
    const { asked, start, trace } = admission;
    const { principal, address } = asked;
    const sender = { principal, sessionId: start.sessionId, address };
    const subscriber = new SocketSubscriber(start, socket, maxBufferedBytes);
    const { commands, exchanges } = this;
    const frames = new ClientFrames({ sender, subscriber, commands, exchanges, trace });
    socket.on('close', () => {
      this.streams.remove(subscriber);
      this.watch.forget(subscriber);
    });
    // What is wrong with a frame's form, its size for one, closes the connection by itself.
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) {
        socket.close(UNSUPPORTED_DATA, 'frames are JSON text');
      } else if (frames.waiting >= MAX_WAITING_FRAMES) {
        socket.close(POLICY_VIOLATION, 'wait for the replies');
      } else {
        frames.take(data.toString());
      }
    });
    this.watch.watch(subscriber, asked);
    this.streams.add(subscriber);
  }
}

/** The route that an upgrade names, as logs and metrics say it. */
export function templateOf({ url }: IncomingMessage): string {
  return PATH.test(addressOf(url).path) ? '/v1/session/:id/stream' : 'unknown';
}

function addressOf(url = '/'): { path: string; query: URLSearchParams } {
  const [path = '', ...query] = url.split('?');
  return { path, query: new URLSearchParams(query.join('?')) };
}

function readRequest({ url, headers, socket }: IncomingMessage): StreamRequest {
  const address = addressOf(url);
  const [, name] = PATH.exec(address.path) ?? [];
  if (name === undefined) {
    throw new Problem({
      status: 404,
      code: 'route_not_found',
      detail: 'There is no WebSocket at this address. Use /v1/session/{id}/stream.',
    });
  }
  const sessionId = clientIdentifier.safeParse(name);
  const query = streamQuery.safeParse(Object.fromEntries(address.query));
  if (!sessionId.success || !query.success) {
    throw new Problem({
      status: 400,
      code: 'invalid_request',
      detail: 'The session id or the query is not in the expected form: cursor and ticket only.',
    });
  }
  const { cursor, ticket } = query.data;
  return {
    route: SOCKET_ROUTE,
    sessionId: sessionId.data,
    headers,
    cursor,
    ticket,
    address: socket.remoteAddress ?? null,
    requestId: requestIdFrom(headers),
  };
}
