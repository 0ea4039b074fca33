import type { IncomingHttpHeaders, IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Exchanges, requestIdFrom } from '@soma/http';
import { Problem } from '@soma/kernel';
import { REQUEST_ID_HEADER } from '@soma/observability';
import { WebSocketServer } from 'ws';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';
import { OpenSocketStream, templateOf } from './open-socket-stream.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';

/** As large as the body of a request may be. A larger frame is answered with close code 1009. */
const MAX_FRAME_BYTES = 1024 * 1024;

/** Takes WebSockets (RFC 6455) in, on the server that serves HTTP. */
@Injectable()
export class StreamSockets implements OnApplicationBootstrap {
  readonly #logger = new Logger(StreamSockets.name);
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES,
  });

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly streams: OpenSocketStream,
    private readonly exchanges: Exchanges,
    @Inject(GATEWAY_CONFIG)
    private readonly config: Pick<GatewayConfig, 'STREAM_BUFFER_BYTES' | 'GATEWAY_API_VERSION'>,
  ) {}

  onApplicationBootstrap(): void {
    this.#server.on('headers', (lines: string[], { headers }: IncomingMessage) => {
      const standard = Object.entries(this.#standardHeaders(headers));
      lines.push(...standard.map(([name, value]) => `${name}: ${value}`));
    });
    // Nest does not know what kind of server its adapter has.
    const server = this.host.httpAdapter.getHttpServer() as Server;
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      // Who resets the connection while we look is simply gone.
      socket.on('error', () => socket.destroy());
      const { headers } = request;
      const id = requestIdFrom(headers);
      // Whoever looks for it later finds the same.
      headers[REQUEST_ID_HEADER] = id;
      const asked = { id, method: 'GET', route: templateOf(request), headers };
      void this.exchanges.observe(asked, () => this.#upgrade(request, socket, head));
    });
  }

  /** Answers the status of the answer. */
  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<number> {
    try {
      const admission = await this.streams.admit(request);
      // What is no handshake is answered by `ws` itself.
      let status = 400;
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        status = 101;
        this.streams.open(webSocket, admission, this.config.STREAM_BUFFER_BYTES);
      });
      return status;
    } catch (error) {
      const problem = this.#toProblem(error);
      refuseUpgrade(socket, problem, this.#standardHeaders(request.headers));
      return problem.status;
    }
  }

  #toProblem(error: unknown): Problem {
    const problem = error instanceof Problem ? error : unexpected(error);
    if (problem.status >= 500) {
      this.#logger.error({ error, message: 'A stream could not be opened.' });
    }
    return problem;
  }

  #standardHeaders(headers: IncomingHttpHeaders): Record<string, string> {
    return {
      [REQUEST_ID_HEADER]: requestIdFrom(headers),
      'x-api-version': this.config.GATEWAY_API_VERSION,
    };
  }
}

function unexpected(cause: unknown): Problem {
  return new Problem({
    status: 500,
    code: 'internal_error',
    detail: 'The stream could not be opened. Try again.',
    cause,
  });
}
